import { afterAll, beforeAll, expect, it } from 'vitest';
import type { HostStatus } from '../../shared/contracts/api.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { outcomesOf } from '../support/varve.ts';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ hosts: ['web1', 'web2'] });
  await fleet.varve.settle(fleet.first);
});
afterAll(() => fleet.close());

/** Commits on top of the working copy's branch and pushes that as the testing branch of web1, and as nothing else. */
async function pushTest(message: string, text: string): Promise<string> {
  const page = `{ roles, ... }: { imports = [ (roles.web { greeter = "1.0"; text = "${text}"; }) ]; }\n`;
  const revision = await fleet.repo.commit(message, { 'hosts/web1.nix': page });
  await fleet.repo.git('push', '--quiet', '--force', 'origin', 'HEAD:refs/heads/testing/web1');
  await fleet.varve.sync();
  return revision;
}

async function web1(what: string, want: (host: HostStatus) => boolean | undefined): Promise<HostStatus> {
  return await eventually(
    async () => {
      const found = (await fleet.varve.status()).hosts.find(({ host }) => host === 'web1');
      return found !== undefined && want(found) === true && found;
    },
    { what, deadlineMs: 90_000, everyMs: 50 },
  );
}

const tests = (revision: string) => (host: HostStatus) =>
  host.verdict === 'in-sync' && host.reason.startsWith('testing ') && host.revision === revision;

it('is tested on its host alone, is gone with its branch, and is promoted by a merge without another switch', async () => {
  const before = await fleet.systems('web1');
  const other = await fleet.systems('web2');
  const dropped = await pushTest('try something', 'a first try');
  await web1('web1 tests it', tests(dropped));
  expect(await fleet.systems('web1')).toMatchObject({
    profile: before.profile,
    bootDefault: before.bootDefault,
  });
  expect((await fleet.systems('web1')).current).not.toBe(before.current);
  expect(await fleet.systems('web2')).toEqual(other);

  await fleet.repo.git('push', '--quiet', 'origin', ':refs/heads/testing/web1');
  await fleet.repo.git('reset', '--quiet', '--hard', fleet.first);
  await fleet.varve.sync();
  await web1('web1 is back', (host) => host.verdict === 'in-sync' && host.revision === fleet.first);
  expect((await fleet.systems('web1')).current).toBe(before.current);

  const merged = await pushTest('try something else', 'a second try');
  await web1('web1 tests the other', tests(merged));
  const tested = (await fleet.systems('web1')).current;
  await fleet.repo.push();
  await fleet.varve.sync();
  await fleet.varve.settle(merged, (host) => host.verdict === 'in-sync');
  expect(await fleet.systems('web1')).toMatchObject({
    current: tested,
    profile: tested,
    bootDefault: tested,
  });
  expect(await outcomesOf(fleet.varve.dataDir, merged)).toMatchObject([
    { aim: { host: 'web1', action: 'activate', mode: 'test' }, phase: 'succeeded' },
    { aim: { host: 'web1', action: 'finalise', mode: 'switch' }, phase: 'succeeded' },
  ]);
  expect(await fleet.systems('web2')).toEqual(other);
});

it('is ignored, with the reason, when it is not on top of the tracked ref', async () => {
  const head = await fleet.repo.head();
  await fleet.repo.git('reset', '--quiet', '--hard', fleet.first);
  const revision = await pushTest('on an old commit', 'a third try');
  await fleet.repo.git('reset', '--quiet', '--hard', head);
  const host = await web1('web1 ignores it', ({ testing }) => testing?.revision === revision);
  expect(host).toMatchObject({
    verdict: 'in-sync',
    testing: { state: 'ignored', reason: 'it is not on top of the tracked ref' },
  });
});
