import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startFleet, type Fleet, type Systems } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';

const hosts = ['canary1', 'rest1', 'rest2', 'rest3', 'rest4'];

/** Writes down on the host when a system was begun to be activated, and when that was done, by the one kernel's clock. */
const timed = `activation.timed = "read -r up rest < /proc/uptime; echo begun $up >> /var/lib/timed; sleep 5; read -r up rest < /proc/uptime; echo ended $up >> /var/lib/timed";`;

function system(text: string, more = ''): string {
  return `{ roles, ... }: { imports = [ (roles.motd "${text}") ]; ${more} }\n`;
}

const every = (text: string, more = ''): Record<string, string> =>
  Object.fromEntries(hosts.map((name) => [`hosts/${name}.nix`, system(`${text} of ${name}`, more)]));

/** One story on one fleet: each test goes on where the one before it ended. */
describe('hosts that are changed together', () => {
  let fleet: Fleet;
  let manifest: string;
  beforeAll(async () => {
    fleet = await startFleet({
      hosts,
      manifest:
        'adopt: auto\ndefaults: { timeouts: { activation: 60s, confirm: 20s, settle: 1ms, build: 2m, push: 1m } }\n',
      edits: every('first'),
    });
    manifest = await fleet.repo.read('varve.yaml');
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 180_000 });
  });
  afterAll(() => fleet.close());

  const systems = async (names: readonly string[]): Promise<readonly Omit<Systems, 'profileGenerations'>[]> =>
    Promise.all(
      names.map(async (name) => {
        const { current, profile, bootDefault } = await fleet.systems(name);
        return { current, profile, bootDefault };
      }),
    );

  it('without waves all five begin before any of them is done', async () => {
    await fleet.varve.settle(await fleet.commit('At once', every('timed', timed)), undefined, {
      deadlineMs: 150_000,
    });
    const times = await Promise.all(
      hosts.map(async (name) => {
        const { stdout } = await fleet.host(name).exec(['cat', '/var/lib/timed']);
        const [begun = [], ended = [], ...others] = stdout
          .trim()
          .split('\n')
          .map((line) => line.split(' '));
        expect([begun[0], ended[0], others]).toEqual(['begun', 'ended', []]);
        return { begun: Number(begun[1]), ended: Number(ended[1]) };
      }),
    );
    const last = Math.max(...times.map(({ begun }) => begun));
    expect(last).toBeLessThan(Math.min(...times.map(({ ended }) => ended)));
  });

  /** The fourth of five fails; the canary goes before the others, and they go one by one. */
  async function breakTheFourth(onFailure: string): Promise<string> {
    const revision = await fleet.commit(onFailure, {
      ...every(onFailure),
      'hosts/rest3.nix': system(`${onFailure} of rest3`, 'faults.switch = 2;'),
      'varve.yaml': `${manifest}rollout:
  maxUnavailable: 1
  onFailure: ${onFailure}
  waves: [{ name: canary, select: { role: canary } }, { name: rest }]
`,
    });
    const back = onFailure === 'rollback-all' ? hosts : hosts.slice(1);
    await fleet.varve.settle(
      revision,
      ({ verdict, deployment }) => verdict === 'stalled' && deployment === undefined,
      { hosts: back, deadlineMs: 150_000 },
    );
    const facts = await readFacts(fleet.varve.dataDir);
    for (const name of ['canary1', 'rest1', 'rest2']) {
      expect(facts.outcomes(name, revision)).toMatchObject([{ phase: 'succeeded' }]);
    }
    expect(facts.outcomes('rest3', revision)).toMatchObject([{ phase: 'rolled-back' }]);
    expect(facts.intents('rest4', revision)).toEqual([]);
    return revision;
  }

  it('when one of a wave fails, those before it in that wave go back, and no other host is touched', async () => {
    const before = await systems(hosts);
    await breakTheFourth('rollback-wave');
    const [canary, ...rest] = await systems(hosts);
    expect(rest).toEqual(before.slice(1));
    expect(canary?.current).not.toBe(before[0]?.current);
    expect(canary?.current).toBe((await fleet.varve.host('canary1')).desired);
    expect((await fleet.varve.why('rest1')).reason).toMatch(/^it was rolled back: .*rest3/);
  });

  it('and where the policy says so, those of the waves before it go back as well', async () => {
    const before = await systems(hosts);
    await breakTheFourth('rollback-all');
    expect(await systems(hosts)).toEqual(before);
  });
});
