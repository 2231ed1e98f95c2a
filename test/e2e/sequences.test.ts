import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostStatus } from '../../shared/contracts/api.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { outcomesOf, readLedger } from '../support/varve.ts';

/** The file that decides what web1 is: `A`, `B`, `C` are texts on its page, and a fault breaks its activation. */
function system(letter: string, extra = ''): string {
  return `{ roles, ... }:
{
  imports = [ (roles.web { greeter = "1.0"; text = "${letter}"; }) ];
  ${extra}
}
`;
}

const broken = 'faults.switch = 2;';
const stalled = ({ verdict }: HostStatus): boolean => verdict === 'stalled';

describe.each([
  { how: 'the controller running all the time', restart: false },
  { how: 'the controller restarted between the steps', restart: true },
])('sequences of commits on one host, with $how', ({ restart }) => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({
      hosts: ['web1'],
      edits: { 'hosts/web1.nix': system('start') },
    });
    await fleet.varve.settle(fleet.first);
  });
  afterAll(() => fleet.close());

  /** Commits a system and waits until web1 has settled on it. */
  async function step(letter: string, extra = '', want?: (host: HostStatus) => boolean): Promise<string> {
    const revision = await fleet.commit(`web1 is ${letter}`, { 'hosts/web1.nix': system(letter, extra) });
    await settle(revision, want);
    return revision;
  }

  async function settle(revision: string, want?: (host: HostStatus) => boolean): Promise<void> {
    await fleet.varve.settle(revision, want);
    if (!restart) return;
    await fleet.varve.controller.stop();
    await fleet.varve.controller.start();
    await fleet.varve.settle(revision, want);
  }

  const running = async (): Promise<string> => (await fleet.systems('web1')).current;
  const attempts = (revision: string) => outcomesOf(fleet.varve.dataDir, revision);

  it('A, B, A: activates A again', async () => {
    await step('A');
    const a = await running();
    await step('B');
    expect(await running()).not.toBe(a);
    const again = await step('A');
    expect(await running()).toBe(a);
    expect(await attempts(again)).toMatchObject([
      { phase: 'succeeded', delivery: { builds: 0, pushedPaths: 0 } },
    ]);
  });

  it('A, B whose activation fails, A: ends on A', async () => {
    await step('A');
    const a = await running();
    const failed = await step('B', broken, stalled);
    expect(await attempts(failed)).toMatchObject([{ phase: 'rolled-back', evidence: true }]);
    expect(await running()).toBe(a);
    await step('A');
    expect(await fleet.systems('web1')).toMatchObject({ current: a, profile: a, bootDefault: a });
  });

  it('B that fails, C, B: tries B again', async () => {
    const first = await step('B', broken, stalled);
    const c = await step('C');
    const onC = await running();
    const second = await step('B', broken, stalled);
    expect(await attempts(first)).toMatchObject([{ phase: 'rolled-back' }]);
    expect(await attempts(c)).toMatchObject([{ phase: 'succeeded' }]);
    expect(await attempts(second)).toMatchObject([{ phase: 'rolled-back' }]);
    expect(await running()).toBe(onC);
  });

  it('A, B, B′ with the same toplevel: activates nothing', async () => {
    await step('A');
    await step('B');
    const b = await fleet.systems('web1');
    const same = await fleet.commit('only words', { 'README.md': `# ${String(restart)}\n` });
    await settle(same);
    expect(await attempts(same)).toEqual([]);
    expect(await fleet.systems('web1')).toEqual(b);
  });

  it('A, B, force push back to A: a new observation, and A runs', async () => {
    const revision = await step('A');
    const a = await running();
    await step('B');
    await fleet.repo.forcePush(revision);
    await fleet.varve.sync();
    await settle(revision);
    expect(await running()).toBe(a);
    const observations = (await readLedger(fleet.varve.dataDir)).flatMap((fact) =>
      fact.kind === 'observation' ? [fact.observation] : [],
    );
    const newest = observations.at(-1);
    expect(newest).toMatchObject({ revision, forced: true });
    expect(observations.filter((each) => each.revision === revision)).toHaveLength(2);
  });

  it('A, B, force push back to A where rewriting holds: B stays until the branch is restored', async () => {
    const { varve } = fleet;
    const holding = { VARVE_ON_REWRITE: 'hold' };
    const isHeld = async (): Promise<void> => {
      await eventually(async () => (await varve.status()).source.failure?.code === 'REPOSITORY_HELD', {
        what: 'the source is held',
        deadlineMs: 30_000,
      });
      await varve.settle(b);
      expect((await varve.host('web1')).desired).toBe(onB.current);
      expect(await fleet.systems('web1')).toEqual(onB);
    };
    const a = await step('A');
    const b = await step('B');
    const onB = await fleet.systems('web1');
    await varve.controller.stop();
    await varve.controller.start(holding);
    await varve.settle(b);
    const observations = async (): Promise<number> =>
      (await readLedger(varve.dataDir)).filter(({ kind }) => kind === 'observation').length;
    const observed = await observations();

    await fleet.repo.forcePush(a);
    await varve.sync();
    await isHeld();
    if (restart) {
      await varve.controller.stop();
      await varve.controller.start(holding);
      await isHeld();
    }
    await fleet.repo.forcePush(b);
    await varve.sync();
    await eventually(async () => (await varve.status()).source.failure === undefined, {
      what: 'the source is well again',
      deadlineMs: 30_000,
    });
    await varve.settle(b);
    expect(await observations()).toBe(observed);
    await step('C');
    expect(await running()).not.toBe(onB.current);
  });
});
