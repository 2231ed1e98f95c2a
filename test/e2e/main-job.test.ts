import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DiffView } from '../../shared/contracts/api-history.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { traceProcesses } from '../support/process-trace.ts';
import { outcomesOf, readLedger } from '../support/varve.ts';

const hosts = ['web1', 'web2', 'batch1'];
const nothingPushed = { builds: 0, pushedPaths: 0, pushedBytes: 0 };

/** One story on one fleet: each test goes on where the one before it ended. */
describe('a commit becomes every host’s next generation, a revert brings the old one back', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ hosts });
  });
  afterAll(() => fleet.close());

  const outcomes = (revision: string) => outcomesOf(fleet.varve.dataDir, revision);

  it('deploys three hosts from genesis: each runs its toplevel, with one new profile generation and one generation in the ledger', async () => {
    await fleet.varve.settle(fleet.first);
    const written = await outcomes(fleet.first);
    expect(written).toHaveLength(3);
    for (const name of hosts) {
      const systems = await fleet.systems(name);
      const { desired, observation } = await fleet.varve.host(name);
      expect(systems).toMatchObject({ current: desired, profile: desired, bootDefault: desired });
      expect(systems.current).not.toBe(fleet.lab.genesis);
      expect(systems.profileGenerations).toEqual([
        { number: 1, path: fleet.lab.genesis },
        { number: 2, path: desired },
      ]);
      expect(observation).toBe(1);
      expect(written.filter(({ aim }) => aim.host === name)).toHaveLength(1);
      expect((await fleet.varve.history(name)).map(({ result }) => result)).toEqual(['succeeded', 'adopted']);
    }
  });

  it('deploys a commit that touches one host to that host only', async () => {
    const before = await fleet.systems('web2');
    const revision = await fleet.change('hosts/web1.nix', 'hello from web1', 'a new text on web1');
    await fleet.varve.settle(revision);
    expect((await outcomes(revision)).map(({ aim }) => aim.host)).toEqual(['web1']);
    expect(await fleet.systems('web2')).toEqual(before);
    for (const name of ['web2', 'batch1']) {
      expect((await fleet.varve.history(name))[0]).toMatchObject({ result: 'unchanged', observation: 2 });
    }
    const page = await fetch(`http://${fleet.host('web1').address}:8080/`);
    expect(await page.text()).toContain('a new text on web1');
  });

  it('deploys nothing for a commit that only changes the README', async () => {
    const revision = await fleet.commit('Explain more', { 'README.md': '# Explained\n' });
    await fleet.varve.settle(revision);
    expect(await outcomes(revision)).toEqual([]);
    for (const name of hosts) {
      expect((await fleet.varve.history(name))[0]).toMatchObject({ result: 'unchanged', observation: 3 });
    }
  });

  it('reverts the newest commit without evaluation, build, push or any Nix process beside the hosts', async () => {
    const before = await fleet.systems('web1');
    const revision = await fleet.change('hosts/web1.nix', 'a new text on web1', 'a mistake');
    await fleet.varve.settle(revision);
    const { controller, worker } = fleet.varve;
    const trace = await traceProcesses([controller.pid(), worker.pid()]);
    const reverted = await fleet.revert(revision);
    await fleet.varve.settle(reverted);
    const executed = await trace.end();
    // The look at the repository, for one: the trace did see what was started.
    expect(executed.some((path) => basename(path) === 'git')).toBe(true);
    expect(executed.filter((path) => basename(path).startsWith('nix'))).toEqual([]);
    const facts = await readLedger(fleet.varve.dataDir);
    const releases = facts.filter(({ kind }) => kind === 'release').length;
    const written = await outcomes(reverted);
    expect(written).toHaveLength(1);
    expect(written[0]).toMatchObject({ phase: 'succeeded', delivery: nothingPushed });
    // Observations 1 to 4 were evaluated, the fifth was not.
    expect(releases).toBe(4);
    const after = await fleet.systems('web1');
    expect(after).toMatchObject({
      current: before.current,
      profile: before.current,
      bootDefault: before.current,
    });
    const last = after.profileGenerations.at(-1);
    expect(last?.path).toBe(before.current);
    expect(last?.number).toBe((before.profileGenerations.at(-1)?.number ?? 0) + 2);
  });

  it('evaluates once and builds nothing that is known when an older commit is reverted', async () => {
    const b = await fleet.change('hosts/web2.nix', 'hello from web2', 'B on web2');
    await fleet.varve.settle(b);
    const c = await fleet.change('hosts/web1.nix', 'a new text on web1', 'C on web1');
    await fleet.varve.settle(c);
    await fleet.nixCalls();
    const reverted = await fleet.revert(b);
    await fleet.varve.settle(reverted);
    const calls = await fleet.nixCalls();
    expect(calls.filter((call) => /^nix .*\beval\b/.test(call))).toHaveLength(1);
    expect(calls.filter((call) => /^nix(-store)? .*(build|--realise)/.test(call))).toEqual([]);
    const written = await outcomes(reverted);
    expect(written.map(({ aim }) => aim.host)).toEqual(['web2']);
    expect(written[0]).toMatchObject({ delivery: nothingPushed });
  });

  it('rebuilds a closure that was collected on worker and host rather than assuming it', async () => {
    const current = (await fleet.systems('batch1')).current;
    const revision = await fleet.change('hosts/batch1.nix', 'batch1 works at night', 'batch1 works by day');
    await fleet.varve.settle(revision);
    await fleet.forget('batch1', current);
    const reverted = await fleet.revert(revision);
    await fleet.varve.settle(reverted);
    expect((await fleet.systems('batch1')).current).toBe(current);
    const [written] = await outcomes(reverted);
    expect(written?.delivery?.builds).toBeGreaterThan(0);
    expect(written?.delivery?.pushedPaths).toBeGreaterThan(0);
  });

  it('takes all of a removed role off its host but its state, and the revert brings it back', async () => {
    const host = fleet.host('batch1');
    const signs = {
      'the unit': 'systemctl cat batch.timer',
      'the running unit': 'systemctl is-active batch.timer',
      'the user': 'id ada',
      'the group': 'getent group batch',
      'the authorized key': 'test -s /etc/ssh/authorized_keys.d/ada',
      'the program': 'test -e /run/current-system/sw/bin/greeter-2.0',
    };
    const present = async (): Promise<readonly string[]> => {
      const found = await Promise.all(
        Object.entries(signs).map(async ([name, test]) => {
          const { code } = await host.exec(['sh', '-c', `${test} > /dev/null 2>&1`]);
          return code === 0 ? [name] : [];
        }),
      );
      return found.flat();
    };
    expect(await present()).toEqual(Object.keys(signs));
    await host.exec(['sh', '-c', 'mkdir -p /var/lib/batch && echo kept > /var/lib/batch/mine']);
    const bare = '{ roles, ... }:\n{ imports = [ (roles.motd "batch1 rests") ]; }\n';
    const removed = await fleet.commit('batch1 does nothing any more', { 'hosts/batch1.nix': bare });
    await fleet.varve.settle(removed);
    expect(await present()).toEqual([]);
    expect((await host.exec(['cat', '/var/lib/batch/mine'])).stdout).toBe('kept\n');
    await fleet.varve.settle(await fleet.revert(removed));
    expect(await present()).toEqual(Object.keys(signs));
    expect((await host.exec(['cat', '/var/lib/batch/mine'])).stdout).toBe('kept\n');
  });

  it('says what differs between two revisions of a host, by package', async () => {
    const from = (await fleet.varve.status()).observation?.revision ?? '';
    const to = await fleet.change('hosts/web1.nix', 'greeter = "1.0"', 'greeter = "1.1"');
    await fleet.varve.settle(to);
    const diff = await fleet.varve.get(`/api/v1/hosts/web1/diff?from=${from}&to=${to}`, DiffView);
    expect(diff.identical).toBe(false);
    expect(diff.changed).toContainEqual(
      expect.objectContaining({ name: 'greeter', from: ['1.0'], to: ['1.1'] }),
    );
  });
});
