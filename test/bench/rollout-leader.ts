import process from 'node:process';

import { createReconciler, type PassResult } from '../../controller/reconcile/reconciler.ts';
import type { Sighting } from '../../controller/reconcile/watcher.ts';
import type { Fleet, HostSpec } from '../../shared/domain/fleet.ts';
import { createMemory } from '../../shared/domain/memory-keeper.ts';
import { parseDeploymentId } from '../../shared/domain/names.ts';
import type { Wave } from '../../shared/domain/policy.ts';
import { noFaults } from '../../shared/platform/ports/faults.ts';
import {
  adopted,
  aFleet,
  anObservation,
  aRelease,
  aSpec,
  incarnation,
  observed,
  owner,
  released,
  toplevel,
} from '../support/builders.ts';
import { createModelWorld } from './model-world.ts';

/** What a leader measured of itself while it moved a fleet of model hosts to a new release. */
export interface RolloutFigures {
  /** Processor time of the passes, all threads (the collector's too). */
  readonly cpuMs: number;
  readonly passesMs: readonly number[];
  readonly events: number;
  readonly facts: number;
  readonly virtualMs: number;
  /** The most that was seen after a pass. */
  readonly heapMiB: number;
  /** The most of the whole process, models and compiler included. */
  readonly residentMiB: number;
}

const mib = 1024 ** 2;
/** Cumulative shares of the fleet. */
const waves = [
  { name: 'canary', upTo: 0.01 },
  { name: 'early', upTo: 0.1 },
  { name: 'some', upTo: 0.3 },
  { name: 'many', upTo: 0.6 },
  { name: 'rest', upTo: 1 },
] as const;
const soakMs = 5_000;
const longestMs = 3_600_000;

/** The program: `rollout-leader HOSTS`. One line of JSON. */
async function rollOut(count: number): Promise<RolloutFigures> {
  const names = Array.from({ length: count }, (_, i) => `host${String(i).padStart(5, '0')}`);
  const specs = names.map((name, i) => aSpec(name, { wave: waveOf(i, count) }));
  const old = new Map(specs.map(({ name }) => [name, toplevel('A', name)]));
  const all = (letter: string) => Object.fromEntries(names.map((name) => [name, letter]));
  const term = { epoch: 1, incarnation };
  const world = createModelWorld(term, old, aRelease('B', all('B')));
  const keeper = createMemory();
  keeper.remember({ kind: 'genesis', at: 0, owner });
  keeper.remember({ kind: 'epoch', at: 0, epoch: term.epoch, leader: 'bench' });
  for (const name of names) keeper.remember(adopted(name, toplevel('A', name)));
  keeper.remember(observed(1, 'A'));
  keeper.remember(released('A', all('A')));

  const began = world.clock.now();
  const sighting = sight(fleetOf(specs));
  let made = 0;
  let facts = 0;
  const reconciler = createReconciler(
    {
      clock: world.clock,
      store: world.store,
      queue: world.queue,
      ids: {
        deployment: () => parseDeploymentId(`d${String((made += 1)).padStart(6, '0')}`),
        unique: () => `unique-${(made += 1)}`,
      },
      ledger: {
        load: async () => [],
        async append(list) {
          facts += list.length;
          return { kind: 'appended', head: '' };
        },
      },
      faultPoint: noFaults,
      patience: { probeEveryMs: 300_000, backOffMs: 5_000, longestBackOffMs: 600_000, lookAgainMs: 1_000 },
      sighting: () => sighting,
      read: () => sighting.read,
      good: () => sighting.read,
      commands: { take: () => [] },
      believesAhead: () => false,
      freshSince: () => -Infinity,
      since: began,
      onFacts: () => {},
    },
    term,
    keeper,
  );

  const passesMs: number[] = [];
  let [cpuMs, heapMiB] = [0, 0];
  let last: PassResult | undefined;
  while (last === undefined || !isDone(last, count)) {
    const changed = world.tick();
    const now = world.clock.now();
    if (now - began > longestMs) throw new Error(`the rollout did not end: ${tally(last)}`);
    if (last !== undefined && !changed && (last.requeueAt ?? Infinity) > now) continue;
    const startedAt = performance.now();
    const cpu = process.cpuUsage();
    last = await reconciler.pass();
    const { user, system } = process.cpuUsage(cpu);
    passesMs.push(performance.now() - startedAt);
    cpuMs += (user + system) / 1_000;
    heapMiB = Math.max(heapMiB, process.memoryUsage().heapUsed / mib);
  }
  return {
    cpuMs,
    passesMs,
    events: world.events(),
    facts,
    virtualMs: world.clock.now() - began,
    heapMiB,
    residentMiB: process.resourceUsage().maxRSS / 1024,
  };
}

function waveOf(i: number, count: number): string {
  return waves.find(({ upTo }) => i < upTo * count)?.name ?? 'rest';
}

function fleetOf(specs: readonly HostSpec[]): Fleet {
  return aFleet(specs, {
    adopt: 'auto',
    rollout: {
      waves: waves.map(({ name }): Wave => ({ name, maxUnavailable: undefined, soakMs, approval: false })),
      maxUnavailable: { unit: 'percent', value: 5 },
      onFailure: 'halt',
      failureThreshold: { unit: 'hosts', value: 1 },
      rebootsAtOnce: 1,
    },
  });
}

/** The commit that changes every host. */
function sight(fleet: Fleet): Sighting {
  const { revision, tree, author, subject } = anObservation(2, 'B');
  return {
    look: { kind: 'seen', revision, tree, descends: true, author, subject, testing: [] },
    read: { revision, manifest: { kind: 'fleet', fleet } },
  };
}

function isDone({ desired, verdicts }: PassResult, count: number): boolean {
  if (desired.kind !== 'ready' || desired.observation.n !== 2) return false;
  return verdicts.length === count && verdicts.every(({ kind }) => kind === 'in-sync');
}

function tally(last: PassResult | undefined): string {
  const counts = new Map<string, number>();
  for (const { kind } of last?.verdicts ?? []) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, n]) => `${n} ${kind}`).join(', ');
}

const [hosts] = process.argv.slice(2);
if (import.meta.filename === process.argv[1] && hosts !== undefined) {
  process.stdout.write(`${JSON.stringify(await rollOut(Number(hosts)))}\n`);
}
