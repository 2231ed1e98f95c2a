import type { HostContact, ProbeReport, ProbeTarget } from '../../shared/domain/contact.ts';
import type { Deployment } from '../../shared/domain/deployment.ts';
import type { Failure } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import {
  type HostName,
  parseDeploymentId,
  parseDrvPath,
  parseHostName,
  parseRevision,
  parseStorePath,
  parseTree,
} from '../../shared/domain/names.ts';
import type { EvaluationOutcome, EvaluationRequest } from '../../shared/domain/observation.ts';
import { type DeploymentEvent, transition } from '../../shared/domain/transition.ts';
import type { Term } from '../../shared/platform/ports/deployment-store.ts';

/** Whole values of the domain for the contract suites: every field set at least once, every optional one left out once. */

const pace = { intervalMs: 1_000, timeoutMs: 1_000, successes: 2, before: false };

export const web1 = parseHostName('web1');
export const web2 = parseHostName('web2');
export const tree = parseTree('7'.repeat(40));
export const toplevel = parseStorePath(`/nix/store/${'a'.repeat(32)}-nixos-system-web1-25.11`);
export const previous = parseStorePath(`/nix/store/${'b'.repeat(32)}-nixos-system-web1-25.05`);
export const drvPath = parseDrvPath(`/nix/store/${'c'.repeat(32)}-nixos-system-web1-25.11.drv`);

export const connection: Connection = {
  address: 'web1.example.org',
  port: 22,
  user: 'root',
  hostKeys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample'],
};

export const failure: Failure = {
  code: 'BUILD_FAILED',
  disposition: 'stalled',
  message: 'the build of the system failed',
  hint: 'read the log',
  details: { derivation: drvPath },
};

export function aTerm(epoch: number, incarnation = `life-${epoch}`): Term {
  return { epoch, incarnation };
}

export function aDeployment(change: Partial<Deployment> = {}): Deployment {
  return {
    id: parseDeploymentId('d000001'),
    version: 1,
    host: web1,
    observation: 3,
    revision: parseRevision('5'.repeat(40)),
    tree,
    toplevel,
    drvPath,
    action: 'activate',
    mode: 'switch',
    reason: 'observation 3 wants another system',
    token: { epoch: 1, counter: 1 },
    owner: 'owner-of-this-fleet',
    known: [connection],
    next: { ...connection, port: 2222, hostKeys: [] },
    nextFallback: { ...connection, address: '192.0.2.9' },
    checks: [
      { ...pace, kind: 'unit', name: 'web.service' },
      { ...pace, kind: 'http', url: 'http://127.0.0.1:8080/', status: 200 },
      { ...pace, kind: 'tcp', port: 8080 },
      { ...pace, kind: 'command', command: ['/run/current-system/sw/bin/true'], before: true },
      { ...pace, kind: 'worker', name: 'is-drained' },
      { ...pace, kind: 'prometheus', url: 'http://127.0.0.1:9090', query: 'up', bounds: { above: 0 } },
    ],
    timeouts: {
      buildMs: 60_000,
      pushMs: 60_000,
      activationMs: 60_000,
      confirmMs: 60_000,
      settleMs: 1_000,
    },
    unitFailures: 'new',
    transport: { by: 'push', substitute: false },
    reboot: undefined,
    knownBad: [drvPath],
    retained: [previous],
    flake: { folder: '.', attribute: 'nixosConfigurations' },
    attribute: 'web1',
    phase: 'pending',
    createdAt: 1_700_000_000_000,
    phaseAt: 1_700_000_000_000,
    timeline: { pending: 1_700_000_000_000 },
    delivery: undefined,
    previous: undefined,
    failure: undefined,
    evidence: false,
    ...change,
  };
}

/** The deployment after these events. */
export function after(deployment: Deployment, ...events: readonly DeploymentEvent[]): Deployment {
  let at = deployment.phaseAt;
  return events.reduce((present, event) => {
    at += 1_000;
    const moved = transition(present, event, at);
    if (moved.kind === 'refused') throw new Error(moved.reason);
    return moved.deployment;
  }, deployment);
}

export function aReport(change: Partial<ProbeReport> = {}): ProbeReport {
  return {
    current: toplevel,
    booted: previous,
    profile: toplevel,
    profileGeneration: 42,
    bootDefault: toplevel,
    bootId: '3b1f0c0e-5d0e-4d0e-9d0e-0c0e5d0e4d0e',
    failedUnits: ['batch.service'],
    restarting: ['web.service'],
    newlyFailed: ['web.service'],
    freeBytes: 12_345_678_901,
    locked: false,
    owner: undefined,
    highestToken: { epoch: 1, counter: 7 },
    records: [
      {
        deployment: parseDeploymentId('d000001'),
        token: { epoch: 1, counter: 7 },
        toplevel,
        previous: undefined,
        bootId: '3b1f0c0e-5d0e-4d0e-9d0e-0c0e5d0e4d0e',
        end: { kind: 'rolled-back', failure, evidence: true },
      },
    ],
    nixVersion: '2.28.3',
    rooted: [toplevel, previous],
    rebootNeeded: ['kernel', 'systemd'],
    generations: [{ number: 42, toplevel }],
    tidied: { agoMs: 60_000, failures: 1, failure: 'the boot menu could not be written' },
    drift: {
      kind: 'profile',
      generation: 7,
      at: 5_000,
      sightings: [
        { kind: 'sudo', user: 'ada', command: '/bin/nixos-rebuild switch', at: 4_000 },
        { kind: 'login', user: 'grace', from: '192.0.2.1', at: 3_000 },
      ],
    },
    collectedAgoMs: 60_000,
    ...change,
  };
}

export function reached(host: HostName, incarnation: string, at: number): HostContact {
  return {
    kind: 'reached',
    host,
    incarnation,
    askedAt: at - 5,
    at,
    connection,
    report: aReport(),
    checks: [
      { name: 'port 8080', healthy: true, intervalMs: 1_000 },
      { name: 'unit web.service', healthy: false, message: 'web.service is failed', intervalMs: 500 },
    ],
  };
}

export function unreachable(host: HostName, incarnation: string, at: number): HostContact {
  return {
    kind: 'unreachable',
    host,
    incarnation,
    askedAt: at - 5,
    at,
    since: at - 100,
    attempts: 2,
    failure: { code: 'HOST_UNREACHABLE', disposition: 'transient', message: 'no route to the host' },
  };
}

export function aTarget(host: HostName, askedAt: number): ProbeTarget {
  return {
    host,
    askedAt,
    connections: [connection],
    ask: [toplevel],
    acknowledged: [parseDeploymentId('d000001')],
    fence: { epoch: 2, counter: 0 },
    adopt: { owner: 'owner-of-this-fleet', takeover: false },
    checks: [{ ...pace, kind: 'tcp', port: 8080 }],
    retain: { owner: 'owner-of-this-fleet', toplevels: [toplevel, previous], keep: 10 },
    tidy: {
      profile: toplevel,
      generation: 42,
      generations: [7, 8],
      bootMenu: false,
      collectGarbage: true,
    },
    expected: { runs: toplevel, boots: toplevel },
  };
}

export function aRequest(key: string): EvaluationRequest {
  return {
    key,
    tree,
    folder: '.',
    attribute: 'nixosConfigurations',
    hosts: new Map([
      [web1, 'web1'],
      [web2, 'web-two'],
    ]),
  };
}

export function aRelease(key: string): EvaluationOutcome {
  return {
    kind: 'complete',
    release: { key, tree, hosts: new Map([[web1, { drvPath, toplevel }]]) },
    durationMs: 1_234,
  };
}
