import type { Action, Deployment, RebootWay } from '../../../shared/domain/deployment.ts';
import type { Aim, FactOf } from '../../../shared/domain/facts.ts';
import { sameConnection, type Connection, type HostSpec } from '../../../shared/domain/fleet.ts';
import { connectionAs, observationOf, type HostMemory, type Memory } from '../../../shared/domain/memory.ts';
import type { DeploymentId, DrvPath, StorePath } from '../../../shared/domain/names.ts';
import type { HostContact } from '../../../shared/domain/contact.ts';
import type { RebootPolicy } from '../../../shared/domain/policy.ts';
import type { Token } from '../../../shared/domain/token.ts';
import type { Followed } from './judge-said.ts';
import { checksFor, connectionFor, modeFor, targetOf, unitFailuresFor } from './target.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import { neededOn } from './retention.ts';

export interface NewDeployment {
  readonly id: DeploymentId;
  readonly token: Token;
  readonly verdict: Verdict;
  readonly spec: HostSpec;
  readonly desired: Followed;
  readonly memory: Memory;
  readonly contact: HostContact | undefined;
  readonly at: number;
}

/** The record of a deployment that is about to begin. Pure; `undefined` if the release has no system for the host. */
export function newDeployment(init: NewDeployment): Deployment | undefined {
  const { desired, memory, spec, verdict } = init;
  const target = targetOf(spec.name, desired, memory.hosts.get(spec.name), init.at);
  if (target === undefined || memory.owner === undefined) return undefined;
  // Who returns to an older system gets that one's generation anew; what it ran at first is nobody's.
  const observation = (target.pin && observationOf(memory, target.pin.to.observation)) ?? desired.observation;
  const action = verdict.action ?? (verdict.kind === 'finalise' ? 'finalise' : 'activate');
  const next = connectionFor(target, spec, memory);
  return {
    id: init.id,
    version: 1,
    host: spec.name,
    observation: observation.n,
    revision: target.testing?.revision ?? observation.revision,
    tree: target.testing?.tree ?? observation.tree,
    toplevel: target.toplevel,
    drvPath: target.drvPath,
    action,
    mode: modeFor(target, spec),
    reason: verdict.reason,
    token: init.token,
    owner: memory.owner,
    known: waysTo(init, action),
    next,
    ...(sameConnection(next, spec.connection) ? {} : { nextFallback: spec.connection }),
    checks: checksFor(target, spec),
    timeouts: spec.timeouts,
    unitFailures: unitFailuresFor(target, spec),
    transport: spec.transport,
    reboot: action === 'reboot' ? wayOf(spec.reboot) : undefined,
    knownBad: knownBad(memory),
    retained: neededOn(memory.hosts.get(spec.name)),
    flake: desired.fleet.flake,
    attribute: spec.attribute,
    phase: 'pending',
    createdAt: init.at,
    phaseAt: init.at,
    timeline: { pending: init.at },
    delivery: undefined,
    previous: runsNow(init.contact, action),
    failure: undefined,
    evidence: false,
  };
}

/**
 * What a host runs that nothing is switched on: until it is rebooted, or, where that is in vain, after it. Where something
 * is, the guard tells what it replaces.
 */
function runsNow(contact: HostContact | undefined, action: Action): StorePath | undefined {
  if (contact?.kind !== 'reached') return undefined;
  return action === 'reboot' ? contact.report.booted : contact.report.current;
}

/**
 * A host that is rebooted in vain answers as the system that it was booted with before. One that somebody switches off in
 * the middle of an activation answers as what it boots by itself, which is not what ran where that was a test.
 */
function waysTo({ memory, spec, contact }: NewDeployment, action: Action): readonly Connection[] {
  const remembered = memory.hosts.get(spec.name);
  const report = contact?.kind === 'reached' ? contact.report : undefined;
  const systems = [
    report?.bootDefault === report?.current ? undefined : report?.bootDefault,
    action === 'reboot' ? report?.booted : undefined,
  ];
  const ways = [
    ...systems.map((system) => (system === undefined ? undefined : connectionAs(memory, spec.name, system))),
    remembered?.before?.connection,
  ];
  return distinct([...knownConnections(remembered, contact), ...ways.filter((way) => way !== undefined)]);
}

function wayOf({ deadlineMs, drain, undrain }: RebootPolicy): RebootWay {
  return { deadlineMs, drain, undrain };
}

/** Every deployment carries them, so those of long ago are left out. */
const mostKnownBad = 200;

/** The inner derivations that failed, as well as the toplevels that they were part of; the newest ones. */
function knownBad(memory: Memory): readonly DrvPath[] {
  return [...memory.failedBuilds.keys()].slice(-mostKnownBad);
}

/**
 * How the host is reached before the new generation is confirmed: as it answered last, or as was confirmed since. A
 * connection of before a confirmation may still work, but only because it has been open all the time.
 */
export function knownConnections(
  remembered: HostMemory | undefined,
  contact: HostContact | undefined,
): readonly Connection[] {
  const confirmed: Connection[] = [];
  const before = remembered?.confirmed?.beforeReboot?.connection;
  if (before !== undefined) confirmed.push(before);
  if (remembered?.confirmed !== undefined) confirmed.push(remembered.confirmed.connection);
  if (contact?.kind !== 'reached') return distinct(confirmed);
  const outdated = (remembered?.confirmed?.at ?? 0) > contact.askedAt;
  return distinct(outdated ? [...confirmed, contact.connection] : [contact.connection, ...confirmed]);
}

/** Every way in which a host may be reachable, likeliest first: also that of a generation that was never confirmed. */
export function candidateConnections(
  remembered: HostMemory | undefined,
  contact: HostContact | undefined,
  spec: HostSpec | undefined,
): readonly Connection[] {
  return distinct([
    ...knownConnections(remembered, contact),
    ...(spec === undefined ? [] : [spec.connection]),
    ...[...(remembered?.openIntents.values() ?? [])].map((intent) => intent.connection),
    // What a reboot in vain brings back.
    ...(remembered?.before === undefined ? [] : [remembered.before.connection]),
    ...(remembered?.adopted === undefined ? [] : [remembered.adopted.connection]),
    // A host that could not roll back answers as the system that it is stuck on.
    ...(remembered?.stuck === undefined ? [] : [remembered.stuck.connection]),
    // Somebody may have booted what is there no longer than for that.
    ...(remembered?.answered ?? []),
  ]);
}

function distinct(connections: readonly Connection[]): readonly Connection[] {
  return connections.filter(
    (connection, i) => connections.findIndex((other) => sameConnection(connection, other)) === i,
  );
}

export function aimOf(deployment: Deployment): Aim {
  return {
    deployment: deployment.id,
    host: deployment.host,
    observation: deployment.observation,
    revision: deployment.revision,
    tree: deployment.tree,
    toplevel: deployment.toplevel,
    drvPath: deployment.drvPath,
    action: deployment.action,
    mode: deployment.mode,
    token: deployment.token,
  };
}

export function intentOf(deployment: Deployment, at: number): FactOf<'intent'> {
  return {
    kind: 'intent',
    at,
    aim: aimOf(deployment),
    connection: deployment.next,
    reason: deployment.reason,
    createdAt: deployment.createdAt,
  };
}

/** The outcome of a deployment that ended as its record in the store says. */
export function outcomeOf(deployment: Deployment, at: number): FactOf<'outcome'> {
  return {
    kind: 'outcome',
    at,
    aim: aimOf(deployment),
    phase: deployment.phase,
    connection: deployment.next,
    delivery: deployment.delivery,
    previous: deployment.previous,
    failure: deployment.failure,
    evidence: deployment.evidence,
    reason: deployment.reason,
    createdAt: deployment.createdAt,
    timeline: deployment.timeline,
  };
}
