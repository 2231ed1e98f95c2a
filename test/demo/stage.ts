import assert from 'node:assert/strict';

import type { Failure } from '../../shared/domain/errors.ts';
import type { FactOf } from '../../shared/domain/facts.ts';
import type { Fleet, Systems } from '../support/fleet.ts';
import { eventually } from '../support/eventually.ts';
import { outcomesOf, readLedger } from '../support/varve.ts';

export const hosts = ['web1', 'web2', 'batch1'] as const;
export type StageHost = (typeof hosts)[number];
type AllSystems = Readonly<Record<StageHost, Systems>>;

/** What the chapters act on, and the ways to see, apart from Varve's own word, what became of it. */
export interface Stage {
  readonly fleet: Fleet;
  /** What the hosts ran before this chapter. */
  readonly before: AllSystems;
  /** What they run now. */
  systems(): Promise<AllSystems>;
  /** What a shell on a host prints. */
  shell(host: StageHost, line: string): Promise<string>;
  /** Whether a shell line succeeds there. */
  does(host: StageHost, line: string): Promise<boolean>;
  /** What the host's web server answers. */
  page(host: StageHost): Promise<string>;
  outcomes(revision: string): Promise<readonly FactOf<'outcome'>[]>;
  /** The programs of Nix that the worker started in this chapter. */
  readonly nixCalls: readonly string[];
  /** How long each evaluation of this chapter took, in milliseconds. */
  evaluations(): Promise<readonly number[]>;
}

/** Everything as it is now, for one chapter; the first one has begun already. */
export async function openStage(
  fleet: Fleet,
  first: boolean,
): Promise<{ stage: Stage; settled: () => Promise<void> }> {
  await fleet.nixCalls();
  const calls: string[] = [];
  const releases = async (): Promise<readonly FactOf<'release'>[]> =>
    (await readLedger(fleet.varve.dataDir)).filter((fact) => fact.kind === 'release');
  const known = first ? 0 : (await releases()).length;
  const run = (host: StageHost, line: string) => fleet.host(host).exec(['sh', '-c', line]);
  const systems = async (): Promise<AllSystems> => ({
    web1: await fleet.systems('web1'),
    web2: await fleet.systems('web2'),
    batch1: await fleet.systems('batch1'),
  });
  const stage: Stage = {
    fleet,
    before: await systems(),
    systems,
    shell: async (host, line) => (await run(host, line)).stdout.trim(),
    does: async (host, line) => (await run(host, line)).code === 0,
    async page(host) {
      // A server that is just being started again refuses for a moment.
      return eventually(
        async () =>
          (
            await fetch(`http://${fleet.host(host).address}:8080/`, { signal: AbortSignal.timeout(2_000) })
          ).text(),
        { what: `the page of ${host}`, deadlineMs: 5_000 },
      );
    },
    outcomes: (revision) => outcomesOf(fleet.varve.dataDir, revision),
    nixCalls: calls,
    evaluations: async () => (await releases()).slice(known).map(({ durationMs }) => durationMs),
  };
  return { stage, settled: async () => void calls.push(...(await fleet.nixCalls())) };
}

/** Current, profile and boot default of a host are what Varve says is wanted there. */
export async function expectInSync(stage: Stage, host: StageHost): Promise<void> {
  const { desired } = await stage.fleet.varve.host(host);
  const { current, profile, bootDefault } = await stage.fleet.systems(host);
  assert.deepEqual(
    [current, profile, bootDefault],
    [desired, desired, desired],
    `${host} runs what is wanted`,
  );
}

/** These hosts were deployed to for that revision, no others, and all of them succeeded. */
export async function expectDeployed(
  stage: Stage,
  revision: string,
  names: readonly StageHost[],
): Promise<void> {
  const written = await stage.outcomes(revision);
  const said = written.map(({ aim, phase }) => `${aim.host} ${phase}`).toSorted();
  assert.deepEqual(said, names.map((name) => `${name} succeeded`).toSorted(), 'the outcomes in the ledger');
  for (const name of names) await expectInSync(stage, name);
}

/** The host is exactly as it was before the chapter. */
export async function expectUntouched(stage: Stage, host: StageHost): Promise<void> {
  assert.deepEqual(await stage.fleet.systems(host), stage.before[host], `${host} is as it was`);
}

/** Varve says that nothing more happens on that host, and why. */
export async function expectStalled(stage: Stage, host: StageHost, code: Failure['code']): Promise<Failure> {
  const { sync, failure } = await stage.fleet.varve.host(host);
  assert.equal(sync, 'Stalled');
  assert.equal(failure?.code, code);
  return failure;
}
