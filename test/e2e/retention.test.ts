import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { TestHost } from '../hosts/test-host.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, type Fleet, type Systems } from '../support/fleet.ts';
import { startHealthPage, type HealthPage } from '../support/health-page.ts';
import { readFacts } from '../support/read-facts.ts';

const system = (text: string): string =>
  `{ roles, ... }: { imports = [ (roles.web { greeter = "1.0"; }) (roles.motd "${text}") ]; }\n`;

/** What a repository that says nothing of it keeps. */
const keep = 10;

/** One story on one host: each test goes on where the one before it ended. */
describe('the generations of a host', () => {
  let fleet: Fleet;
  let health: HealthPage;
  let host: TestHost;
  let second: string;
  let before: Systems;
  beforeAll(async () => {
    health = await startHealthPage();
    fleet = await startFleet({ hosts: ['h1'], probeSeconds: 2 });
    host = fleet.host('h1');
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 120_000 });
    before = await fleet.systems('h1');
    second = await fleet.commit('Another message of the day', { 'hosts/h1.nix': system('second') });
    await fleet.varve.settle(second);
  });
  afterAll(async () => {
    await fleet.close();
    await health.close();
  });

  const shell = async (line: string): Promise<string> =>
    (await host.exec(['sh', '-c', line])).stdout.trimEnd();
  const numbers = async (): Promise<readonly number[]> =>
    (await fleet.systems('h1')).profileGenerations.map(({ number }) => number);

  it('go by number once there are too many; what it was booted with stays, and the boot menu follows', async () => {
    const now = await fleet.systems('h1');
    const made = [before.current, now.current];
    for (let i = 0; i < 14; i += 1) {
      await shell(`nix-env --profile /nix/var/nix/profiles/system --set ${made[i % 2]}`);
    }
    const [booted, ...rest] = await numbers();
    const left = await eventually(
      async () => {
        const found = await numbers();
        return found.length === keep + 1 && found;
      },
      { what: 'the generations to be pruned', deadlineMs: 60_000, everyMs: 200 },
    );
    // The newest are kept by the policy, the first because the host was booted with it.
    expect(left).toEqual([booted, ...rest.slice(-keep)]);
    await eventually(async () => (await shell('cut -d" " -f1 /boot/menu')) === left.join('\n'), {
      what: 'a boot menu of the generations that are left',
      deadlineMs: 20_000,
    });
    expect(await fleet.systems('h1')).toMatchObject({
      current: now.current,
      profile: now.current,
      bootDefault: now.current,
    });
    expect(await fleet.varve.host('h1')).toMatchObject({ verdict: 'in-sync', health: 'Healthy' });
    expect(await shell('journalctl --no-pager --unit=varve-tidy')).toContain('generations that go:');
  });

  it('may all be deleted by a person, garbage and all: the revert still finds the system that ran before', async () => {
    await shell('nix-collect-garbage -d');
    expect(await numbers()).toHaveLength(1);
    const revert = await fleet.revert(second);
    await fleet.varve.settle(revert);
    expect(await fleet.systems('h1')).toMatchObject({
      current: before.current,
      profile: before.current,
      bootDefault: before.current,
    });
    const [outcome] = (await readFacts(fleet.varve.dataDir)).outcomes('h1', revert);
    expect(outcome).toMatchObject({ phase: 'succeeded', delivery: { builds: 0, pushedPaths: 0 } });
  });

  it('may be deleted inside the confirmation window too: the host goes back to just what ran before', async () => {
    const ran = await fleet.systems('h1');
    const manifest = await fleet.repo.read('varve.yaml');
    const check = `checks: [{ http: { url: "${health.url}" }, timeout: 3s }], timeouts: { confirm: 12s }`;
    const broken = await fleet.commit('What nobody finds healthy', {
      'varve.yaml': manifest.replace('  h1: { ', `  h1: { ${check}, `),
      'hosts/h1.nix': system('third'),
    });
    await eventually(() => health.asked() > 0, {
      what: 'a confirmation that is asked for in vain',
      deadlineMs: 60_000,
      everyMs: 20,
    });
    expect(await shell('readlink -e /run/current-system')).not.toBe(ran.current);
    await shell('nix-collect-garbage -d');
    await fleet.varve.settle(broken, ({ verdict }) => verdict === 'stalled');
    expect((await readFacts(fleet.varve.dataDir)).outcomes('h1', broken)).toMatchObject([
      { phase: 'rolled-back', failure: { code: 'CHECK_FAILED' } },
    ]);
    const { current, profile, bootDefault, profileGenerations } = await fleet.systems('h1');
    expect({ current, profile, bootDefault }).toEqual({
      current: ran.current,
      profile: ran.profile,
      bootDefault: ran.bootDefault,
    });
    expect(profileGenerations).toEqual(ran.profileGenerations.slice(-1));
    const missing = `nix-store --query --requisites ${current} | xargs nix-store --check-validity --print-invalid`;
    expect(await shell(missing)).toBe('');
  });
});
