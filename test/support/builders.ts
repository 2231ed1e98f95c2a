import { aimOf } from '../../controller/reconcile/plan/aim.ts';
import type { Check, CheckPace, CheckSubject } from '../../shared/domain/check.ts';
import type { HostContact, ProbeReport } from '../../shared/domain/contact.ts';
import type { Deployment } from '../../shared/domain/deployment.ts';
import type { Desired } from '../../shared/domain/desired.ts';
import type { Failure } from '../../shared/domain/errors.ts';
import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import { plainFleet, plainHost } from '../../shared/domain/fleet.ts';
import type { Connection, Fleet, HostSpec } from '../../shared/domain/fleet.ts';
import { type Memory } from '../../shared/domain/memory.ts';
import { createMemory } from '../../shared/domain/memory-keeper.ts';
import {
  parseDeploymentId,
  parseDrvPath,
  parseHostName,
  parseRevision,
  parseStorePath,
  parseTree,
  type DrvPath,
  type HostName,
  type StorePath,
} from '../../shared/domain/names.ts';
import type { Observation, Release } from '../../shared/domain/observation.ts';

/** Small values of the domain for tests: each builder gives a whole, valid one, `change` says what matters. */

export const owner = 'owner-of-this-varve';
export const incarnation = 'incarnation-1';

export function host(name: string): HostName {
  return parseHostName(name);
}

/** The toplevel that a letter stands for on a host: `A`, `B`, `C` … */
export function toplevel(letter: string, of = 'web1'): StorePath {
  return parseStorePath(`/nix/store/${digits(`${letter}${of}`)}-nixos-system-${of}-${letter}`);
}

export function drv(letter: string, of = 'web1'): DrvPath {
  return parseDrvPath(`/nix/store/${digits(`${letter}${of}`)}-nixos-system-${of}-${letter}.drv`);
}

/** 32 digits of nix's alphabet that differ for different words. */
function digits(word: string): string {
  const alphabet = '0123456789abcdfghijklmnpqrsvwxyz';
  let state = 7;
  return Array.from({ length: 32 }, (_, i) => {
    state = (state * 31 + word.charCodeAt(i % word.length) + i) >>> 0;
    return alphabet[state % 32];
  }).join('');
}

export function sha(seed: number | string): string {
  const text = String(seed);
  return Array.from({ length: 40 }, (_, i) =>
    ((text.charCodeAt(i % text.length) * 7 + i * 3 + text.length) % 16).toString(16),
  ).join('');
}

export const connection: Connection = { address: '10.0.0.1', port: 22, user: 'root', hostKeys: [] };

export function aSpec(name: string, change: Partial<HostSpec> = {}): HostSpec {
  return {
    name: host(name),
    attribute: name,
    connection,
    ...plainHost,
    timeouts: { buildMs: 1000, pushMs: 1000, activationMs: 1000, confirmMs: 1000, settleMs: 0 },
    ...change,
  };
}

export function aFleet(hosts: readonly HostSpec[], change: Partial<Fleet> = {}): Fleet {
  return {
    flake: { folder: '.', attribute: 'nixosConfigurations' },
    adopt: 'manual',
    ...plainFleet,
    hosts: { kind: 'listed', list: hosts },
    ...change,
  };
}

export function anObservation(n: number, letter: string, change: Partial<Observation> = {}): Observation {
  return {
    n,
    revision: parseRevision(sha(`r${n}`)),
    tree: parseTree(sha(`t${letter}`)),
    at: n * 1000,
    forced: false,
    author: 'Ada',
    subject: letter,
    ...change,
  };
}

export function releaseKey(letter: string): string {
  return `${sha(`t${letter}`)}.options`;
}

/** A release in which each host runs the toplevel of a letter. */
export function aRelease(letter: string, hosts: Readonly<Record<string, string>>): Release {
  return {
    key: releaseKey(letter),
    tree: parseTree(sha(`t${letter}`)),
    hosts: new Map(
      Object.entries(hosts).map(([name, of]) => [
        host(name),
        { drvPath: drv(of, name), toplevel: toplevel(of, name) },
      ]),
    ),
  };
}

/** A check, asked once a second until it passes once. */
export function aCheck(subject: CheckSubject, pace: Partial<CheckPace> = {}): Check {
  return { intervalMs: 1_000, timeoutMs: 1_000, successes: 1, before: false, ...pace, ...subject };
}

export function aReport(change: Partial<ProbeReport> = {}): ProbeReport {
  return {
    current: undefined,
    booted: undefined,
    profile: undefined,
    profileGeneration: 1,
    bootDefault: undefined,
    bootId: 'boot-1',
    failedUnits: [],
    restarting: [],
    newlyFailed: [],
    freeBytes: 1_000_000_000,
    locked: false,
    owner,
    highestToken: undefined,
    records: [],
    nixVersion: '2.8.0',
    rooted: [],
    rebootNeeded: [],
    generations: [],
    tidied: undefined,
    drift: undefined,
    collectedAgoMs: undefined,
    ...change,
  };
}

/** The report of a host that runs, and would boot, one system. */
export function running(system: StorePath, change: Partial<ProbeReport> = {}): ProbeReport {
  return aReport({ current: system, booted: system, profile: system, bootDefault: system, ...change });
}

export function reached(
  name: string,
  report: ProbeReport,
  askedAt: number,
): Extract<HostContact, { kind: 'reached' }> {
  return {
    kind: 'reached',
    host: host(name),
    incarnation,
    askedAt,
    at: askedAt,
    connection,
    report,
    checks: [],
  };
}

export function aDeployment(change: Partial<Deployment> = {}): Deployment {
  const name = change.host ?? host('web1');
  return {
    id: parseDeploymentId('d000001'),
    version: 1,
    host: name,
    observation: 1,
    revision: parseRevision(sha('r1')),
    tree: parseTree(sha('tA')),
    toplevel: toplevel('A', name),
    drvPath: drv('A', name),
    action: 'activate',
    mode: 'switch',
    reason: 'a test',
    token: { epoch: 1, counter: 1 },
    owner,
    known: [connection],
    next: connection,
    checks: [],
    timeouts: { buildMs: 1000, pushMs: 1000, activationMs: 1000, confirmMs: 1000, settleMs: 0 },
    unitFailures: 'new',
    transport: { by: 'push', substitute: false },
    reboot: undefined,
    knownBad: [],
    retained: [],
    flake: { folder: '.', attribute: 'nixosConfigurations' },
    attribute: name,
    phase: 'pending',
    createdAt: 0,
    phaseAt: 0,
    timeline: { pending: 0 },
    delivery: undefined,
    previous: undefined,
    failure: undefined,
    evidence: false,
    ...change,
  };
}

export function aFailure(change: Partial<Failure> = {}): Failure {
  return { code: 'ACTIVATION_FAILED', disposition: 'stalled', message: 'it broke', ...change };
}

export function anOutcome(
  deployment: Deployment,
  change: Partial<Omit<FactOf<'outcome'>, 'kind' | 'aim'>> = {},
): FactOf<'outcome'> {
  return {
    kind: 'outcome',
    at: 0,
    aim: aimOf(deployment),
    phase: 'succeeded',
    connection: deployment.next,
    delivery: undefined,
    previous: undefined,
    failure: undefined,
    evidence: false,
    reason: 'a test',
    createdAt: 0,
    timeline: {},
    ...change,
  };
}

/** A memory that has learned these facts, in this order, after its genesis. */
export function remembering(...facts: readonly Fact[]): Memory {
  const keeper = createMemory();
  keeper.remember({ kind: 'genesis', at: 0, owner });
  for (const fact of facts) keeper.remember(fact);
  return keeper.memory;
}

export function observed(n: number, letter: string, change: Partial<Observation> = {}): Fact {
  const observation = anObservation(n, letter, change);
  return { kind: 'observation', at: observation.at, observation, key: releaseKey(letter) };
}

export function released(letter: string, hosts: Readonly<Record<string, string>>): Fact {
  return { kind: 'release', at: 0, release: aRelease(letter, hosts), durationMs: 1 };
}

export function adopted(name: string, runningNow: StorePath | undefined): Fact {
  return {
    kind: 'adopted',
    at: 0,
    host: host(name),
    by: 'ada',
    takeover: false,
    running: runningNow,
    connection,
  };
}

export function wanting(
  n: number,
  letter: string,
  fleet: Fleet,
  hosts: Readonly<Record<string, string>>,
): Desired {
  return { kind: 'ready', observation: anObservation(n, letter), fleet, release: aRelease(letter, hosts) };
}
