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

/** One story on one host, whose varve.yaml says what it keeps. */
describe('the generations of a host whose retention is written down', () => {
  let fleet: Fleet;
  let host: TestHost;
  /** What the host ran, oldest first: what it was adopted with, then each release. */
  const ran: string[] = [];
  const says = (more: string): string =>
    `adopt: auto\ndefaults:\n  timeouts: { activation: 30s, confirm: 8s, settle: 1ms }\n${more}`;
  const retention = (collectGarbage: boolean): string =>
    `  retention: { keep: 2, collectGarbage: ${collectGarbage} }\n`;
  const closed = 'windows: [{ deny: "* * * * *", for: 1h }]\n';
  beforeAll(async () => {
    fleet = await startFleet({ hosts: ['h1'], probeSeconds: 2, manifest: says(retention(false)) });
    host = fleet.host('h1');
    ran.push((await fleet.systems('h1')).profileGenerations[0]?.path ?? '');
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 120_000 });
    ran.push((await fleet.systems('h1')).current);
    for (const text of ['second', 'third', 'fourth']) {
      await fleet.varve.settle(await fleet.commit(text, { 'hosts/h1.nix': system(text) }));
      ran.push((await fleet.systems('h1')).current);
    }
  });
  afterAll(() => fleet.close());

  const shell = async (line: string): Promise<string> =>
    (await host.exec(['sh', '-c', line])).stdout.trimEnd();
  const generations = async (): Promise<readonly string[]> =>
    (await fleet.systems('h1')).profileGenerations.map(({ path }) => path);
  const left = (...paths: readonly (string | undefined)[]): Promise<unknown> =>
    eventually(async () => JSON.stringify(await generations()) === JSON.stringify(paths), {
      what: 'the generations to be pruned',
      deadlineMs: 60_000,
      everyMs: 200,
    });

  /** Sets the profile to these systems, one generation each, as somebody would by hand. */
  async function setProfile(...paths: readonly (string | undefined)[]): Promise<void> {
    for (const path of paths) await shell(`nix-env --profile /nix/var/nix/profiles/system --set ${path}`);
  }

  /** Long enough for a probe to see, the next to do something about it, and one more to tell. */
  async function afterProbes(): Promise<void> {
    for (let i = 0; i < 3; i += 1) {
      const before = (await fleet.varve.host('h1')).probeAskedAt ?? 0;
      await eventually(async () => ((await fleet.varve.host('h1')).probeAskedAt ?? 0) > before, {
        what: 'another probe',
        deadlineMs: 30_000,
      });
    }
  }

  it('are as many as it says, and what it was booted with', async () => {
    const [adopted, , , third, fourth] = ran;
    await left(adopted, third, fourth);
    expect(await fleet.varve.host('h1')).toMatchObject({ verdict: 'in-sync', current: fourth });
  });

  it('stay beyond that where the host may have to return to them, however old they are', async () => {
    const [adopted, first, , third, fourth] = ran;
    await setProfile(first, fourth, first, fourth);
    // The newest two; what was booted, and what was confirmed before, each by its newest generation.
    await left(adopted, third, first, fourth);
  });

  it('all stay while a person holds the host on an older system, which no collection takes from it', async () => {
    const [adopted, first, , third, fourth] = ran;
    const request = { reason: 'a look', toplevel: third };
    expect((await fleet.varve.post('/api/v1/hosts/h1/rollback', request)).status).toBe(200);
    await eventually(async () => (await fleet.varve.host('h1')).health === 'Held', {
      what: 'the roll back',
      deadlineMs: 30_000,
    });
    await setProfile(first, third, first, third);
    const held = await generations();
    expect(held.length).toBeGreaterThan(6);
    await afterProbes();
    expect(await generations()).toEqual(held);

    await shell('nix-collect-garbage -d');
    expect(await generations()).toEqual([third]);
    expect(await shell(`nix-store --check-validity ${fourth} && echo valid`)).toBe('valid');
    expect((await fleet.varve.post('/api/v1/release', { scope: 'h1' })).status).toBe(200);
    await fleet.varve.settle((await fleet.varve.status()).observation?.revision ?? '');
    await setProfile(adopted, fourth, adopted, fourth);
    // What it was held on was confirmed before the present one.
    await left(third, adopted, fourth);
  });

  it('leave no garbage where the policy says so, but only in a window', async () => {
    const manifest = (await fleet.repo.read('varve.yaml')).replace(retention(false), retention(true));
    const garbage = await shell('echo garbage > /tmp/garbage && nix-store --add /tmp/garbage');
    expect(garbage).toMatch(/^\/nix\/store\//);
    const isThere = async (): Promise<boolean> =>
      (await shell(`nix-store --check-validity ${garbage} 2>&1 && echo valid`)) === 'valid';
    await fleet.varve.settle(await fleet.commit('Later', { 'varve.yaml': `${manifest}${closed}` }));
    await afterProbes();
    expect(await isThere()).toBe(true);
    expect(await shell('journalctl --no-pager --quiet --unit=varve-collect-garbage')).toBe('');

    await fleet.varve.settle(await fleet.commit('Now', { 'varve.yaml': manifest }));
    await eventually(async () => !(await isThere()), {
      what: 'the garbage to be collected',
      deadlineMs: 60_000,
      everyMs: 200,
    });
    expect(await shell('journalctl --no-pager --unit=varve-collect-garbage')).toContain(
      'store paths deleted',
    );
    const { current, profile, bootDefault } = await fleet.systems('h1');
    expect(new Set([current, profile, bootDefault])).toEqual(new Set(ran.slice(-1)));
    expect(await fleet.varve.host('h1')).toMatchObject({ verdict: 'in-sync', health: 'Healthy' });
  });
});
