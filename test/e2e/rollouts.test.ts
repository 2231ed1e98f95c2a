import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startFleet, type Fleet } from '../support/fleet.ts';
import { pageOn, tracesOn, type Traces } from '../support/on-host.ts';
import { readFacts, type LedgerFacts } from '../support/read-facts.ts';

const waves = {
  canary: ['canary1'],
  early: ['early1', 'early2', 'early3'],
  rest: ['rest1', 'rest2', 'rest3', 'rest4', 'rest5', 'rest6', 'rest7', 'rest8'],
} as const;
const hosts = Object.values(waves).flat();
const others = hosts.filter((name) => name !== 'canary1');

const rollout = `rollout:
  waves:
    - { name: canary, select: { role: canary } }
    - { name: early, select: { role: early } }
    - { name: rest }
  maxUnavailable: 3
`;
const healthy = 'echo ok > "$out/health"';

/** One story on one fleet: each test goes on where the one before it ended. */
describe('a release that goes through twelve hosts in waves', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({
      hosts,
      manifest:
        'adopt: auto\ndefaults:\n  timeouts: { activation: 60s, confirm: 10s, settle: 1ms, build: 2m, push: 1m }\n' +
        '  checks: [{ http: { port: 8080, path: /health } }]\n',
    });
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 180_000 });
  });
  afterAll(() => fleet.close());

  const everywhere = async (names: readonly string[]): Promise<ReadonlyMap<string, Traces>> =>
    new Map(
      await Promise.all(
        names.map(async (name): Promise<[string, Traces]> => [name, await tracesOn(fleet.host(name))]),
      ),
    );

  /** The page that every host serves from the next commit on. */
  const pages = (text: string): Promise<string> =>
    fleet.change('roles/web.nix', healthy, `${healthy}\n      echo ${text} > "$out/${text}"`);

  /** How many were in work at once at most, and which host began when, by what the ledger says in its order. */
  function movement(facts: LedgerFacts, revision: string) {
    const moving = new Set<string>();
    const begun: string[] = [];
    let most = 0;
    const behind: string[] = [];
    for (const fact of facts.all) {
      if ((fact.kind !== 'intent' && fact.kind !== 'outcome') || fact.aim.revision !== revision) continue;
      const { host } = fact.aim;
      if (fact.kind === 'outcome') moving.delete(host);
      else {
        const wave = waveOf(host);
        // Whoever still moves must be of the wave that begins.
        behind.push(...[...moving].filter((other) => waveOf(other) !== wave));
        moving.add(host);
        begun.push(wave);
        most = Math.max(most, moving.size);
      }
    }
    return { most, behind, order: begun.filter((wave, i) => wave !== begun[i - 1]), begun: begun.length };
  }

  const waveOf = (host: string): string => host.replace(/\d+$/, '');

  let bad: string;
  it('stops at a canary that fails its HTTP check: the canary is back, and no other host was touched', async () => {
    const canary = await fleet.systems('canary1');
    const before = await everywhere(others);
    bad = await fleet.commit('A page that nobody can ask for', {
      'varve.yaml': `${await fleet.repo.read('varve.yaml')}${rollout}`,
      'roles/web.nix': (await fleet.repo.read('roles/web.nix')).replace(healthy, 'true'),
    });
    await fleet.varve.settle(bad, ({ verdict }) => verdict === 'stalled');

    expect(await fleet.systems('canary1')).toEqual(canary);
    expect(await pageOn(fleet.host('canary1'), '/health')).toBe('200 ok');
    expect(await everywhere(others)).toEqual(before);
    const facts = await readFacts(fleet.varve.dataDir);
    expect(facts.outcomes('canary1', bad)).toMatchObject([
      { phase: 'rolled-back', evidence: true, failure: { code: 'CHECK_FAILED' } },
    ]);
    for (const name of others) expect(facts.intents(name, bad)).toEqual([]);
  });

  it('says in one line, for every other host, which wave failed and why', async () => {
    for (const name of ['early1', 'rest8']) {
      const { reason, failure } = await fleet.varve.host(name);
      expect(reason).toMatch(/^wave canary failed: canary1: .*\/health.*$/);
      expect(failure).toMatchObject({ code: 'ROLLOUT_HALTED', message: reason });
      const why = await fleet.varve.why(name);
      expect(why).toMatchObject({ verdict: 'stalled', reason });
      expect(why.advice).toBeDefined();
    }
    expect((await fleet.varve.status()).rollout?.waves).toMatchObject([
      { name: 'canary', state: 'failed', failed: 1, done: 0, total: 1 },
      { name: 'early', done: 0, total: 3 },
      { name: 'rest', done: 0, total: 8 },
    ]);
  });

  it('lets the commit that mends it through wave by wave, never with more than three hosts in work', async () => {
    const text = (await fleet.repo.read('roles/web.nix')).replace(
      /^ {6}true$/m,
      `      ${healthy}\n      echo mended > "$out/mended"`,
    );
    const mended = await fleet.commit('Mend the page', { 'roles/web.nix': text });
    await fleet.varve.settle(mended, undefined, { deadlineMs: 150_000 });
    const moved = movement(await readFacts(fleet.varve.dataDir), mended);
    expect(moved).toMatchObject({ behind: [], order: ['canary', 'early', 'rest'], begun: 12 });
    expect(moved.most).toBeGreaterThan(1);
    expect(moved.most).toBeLessThanOrEqual(3);
    for (const name of hosts) expect(await pageOn(fleet.host(name), '/mended')).toBe('200 mended');
  });

  let newest: string;
  it('gets to all others while one of them is off, and no wave waits for it', async () => {
    await fleet.host('early2').powerOff();
    const present = hosts.filter((name) => name !== 'early2');
    newest = await pages('newest');
    await fleet.varve.settle(newest, undefined, { hosts: present, deadlineMs: 150_000 });
    expect((await readFacts(fleet.varve.dataDir)).intents('early2', newest)).toEqual([]);
    expect(movement(await readFacts(fleet.varve.dataDir), newest)).toMatchObject({
      behind: [],
      order: ['canary', 'early', 'rest'],
      begun: 11,
    });
  });

  it('reaches the one that was off as soon as it is on again, without anybody’s help', async () => {
    await fleet.host('early2').boot();
    await fleet.varve.settle(newest);
    expect(await pageOn(fleet.host('early2'), '/newest')).toBe('200 newest');
    const facts = await readFacts(fleet.varve.dataDir);
    expect(facts.outcomes('early2', newest)).toMatchObject([{ phase: 'succeeded' }]);
  });

  it('is reverted through the same waves, without an evaluation, a build or a push', async () => {
    await fleet.nixCalls();
    const reverted = await fleet.revert(newest);
    await fleet.varve.settle(reverted, undefined, { deadlineMs: 120_000 });
    const calls = await fleet.nixCalls();
    expect(calls.filter((call) => /^nix(-store)? .*(\beval\b|build|--realise)/.test(call))).toEqual([]);
    const facts = await readFacts(fleet.varve.dataDir);
    expect(movement(facts, reverted)).toMatchObject({
      behind: [],
      order: ['canary', 'early', 'rest'],
      begun: 12,
    });
    for (const name of hosts) {
      expect(facts.outcomes(name, reverted)).toMatchObject([
        { phase: 'succeeded', delivery: { builds: 0, pushedPaths: 0 } },
      ]);
      expect(await pageOn(fleet.host(name), '/newest')).toMatch(/^404/);
    }
  });
});
