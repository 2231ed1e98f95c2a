import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { exitCodes } from '../../cli/exit-codes.ts';
import { varve, type CliResult } from '../support/cli-process.ts';
import { expectDesiredSystem } from '../support/evidence.ts';
import { quickTimeouts, startFleet, type Fleet } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';

const hosts = ['canary1', 'rest1', 'rest2'];
const rest = ['rest1', 'rest2'];

const system = (text: string, more = ''): string =>
  `{ roles, ... }: { imports = [ (roles.motd "${text}") ]; ${more} }\n`;
const every = (text: string): Record<string, string> =>
  Object.fromEntries(hosts.map((name) => [`hosts/${name}.nix`, system(`${text} of ${name}`)]));

/** One story on one fleet: each test goes on where the one before it ended. */
describe('a release that goes through two waves', () => {
  let fleet: Fleet;
  let manifest: string;
  beforeAll(async () => {
    fleet = await startFleet({ hosts, manifest: `adopt: auto\n${quickTimeouts}` });
    manifest = await fleet.repo.read('varve.yaml');
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 120_000 });
  });
  afterAll(() => fleet.close());

  const say = (...args: readonly string[]): Promise<CliResult> => varve(args, { url: fleet.varve.url });

  /** What the ledger says of a revision, in its order; approvals as well. */
  async function told(revision: string): Promise<readonly string[]> {
    const { all } = await readFacts(fleet.varve.dataDir);
    return all.flatMap((fact) => {
      if (fact.kind === 'approved') return [`${fact.gate.kind} ${fact.gate.name} approved by ${fact.by}`];
      if (fact.kind !== 'intent' && fact.kind !== 'outcome') return [];
      return fact.aim.revision === revision ? [`${fact.kind} ${fact.aim.host}`] : [];
    });
  }

  it('waits before the one that takes an approval until a person gives it, and says so', async () => {
    const before = await Promise.all(rest.map((name) => fleet.systems(name)));
    const revision = await fleet.commit('To be approved', {
      ...every('approved'),
      'varve.yaml': `${manifest}rollout:\n  waves: [{ name: canary, select: { role: canary } }, { name: rest, approval: true }]\n`,
    });
    await fleet.varve.settle(revision, ({ host, verdict, deployment, waitsFor }) =>
      host === 'canary1'
        ? verdict === 'in-sync' && deployment === undefined
        : waitsFor === 'approval' && deployment?.phase === 'delivered',
    );
    expect(await Promise.all(rest.map((name) => fleet.systems(name)))).toEqual(before);
    expect(await told(revision)).toEqual(['intent canary1', 'outcome canary1']);
    const why = await say('why', 'rest1');
    expect(why.stdout).toMatch(/^rest1 waits for approval of wave rest: /);
    expect(why.stdout).toContain('`varve approve rest`');

    expect(await say('approve')).toMatchObject({ code: 0 });
    expect(await say('wait', '--timeout', '60s')).toMatchObject({ code: 0 });
    for (const name of rest) await expectDesiredSystem(fleet, name);
    expect((await told(revision))[2]).toBe('wave rest approved by local:tess');
  });

  it('goes on where it is to: only those that fail go back, and who waits for all is told', async () => {
    const bad = ['canary1', 'rest1'];
    const before = await Promise.all(bad.map((name) => fleet.systems(name)));
    const broken = bad.map((name): [string, string] => [
      `hosts/${name}.nix`,
      system(`failed of ${name}`, 'faults.switch = 2;'),
    ]);
    const revision = await fleet.commit('One of each wave fails', {
      ...every('continued'),
      ...Object.fromEntries(broken),
      'varve.yaml':
        `${manifest}rollout:\n  maxUnavailable: 1\n  onFailure: continue\n` +
        '  waves: [{ name: canary, select: { role: canary } }, { name: rest }]\n',
    });
    const waited = await say('wait', '--timeout', '120s', '--revision', revision);
    expect(waited).toMatchObject({ code: exitCodes.stalled });
    expect(waited.stdout).toContain('stalled: 2 hosts (canary1, rest1)');

    expect(await Promise.all(bad.map((name) => fleet.systems(name)))).toEqual(before);
    await expectDesiredSystem(fleet, 'rest2');
    const facts = await readFacts(fleet.varve.dataDir);
    for (const name of bad) {
      expect(facts.outcomes(name, revision)).toMatchObject([{ phase: 'rolled-back', evidence: true }]);
    }
    expect(facts.outcomes('rest2', revision)).toMatchObject([{ phase: 'succeeded' }]);
    // The wave after the failed one: nobody of it had begun before.
    const order = (await told(revision)).filter((line) => /^(intent|outcome) /.test(line));
    expect(order.slice(0, 2)).toEqual(['intent canary1', 'outcome canary1']);
  });
});
