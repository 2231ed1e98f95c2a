import type { HostContact } from '../../../shared/domain/contact.ts';
import type { Deployment } from '../../../shared/domain/deployment.ts';
import { hostsOf, memberOf, type Desired } from '../../../shared/domain/desired.ts';
import { holdAt, type Memory } from '../../../shared/domain/memory.ts';
import { isBack } from './standing.ts';
import { targetOf } from './target.ts';
import { mayStart } from './windows.ts';
import { compareTokens } from '../../../shared/domain/token.ts';

/**
 * Whether an activation that may never have reached its host is better given up than tried again: something else is
 * wanted there by now, or nothing may begin there any more, and the host has shown no record of it. Its worker may have
 * died before the first byte, and the host may come back days later: it should then go straight to the desired system.
 * Pure.
 */
export function isAbandoned(
  deployment: Deployment,
  input: {
    readonly desired: Desired;
    readonly memory: Memory;
    readonly contact: HostContact | undefined;
    readonly now: number;
  },
): boolean {
  // From `confirming` on the host is known to have begun.
  if (deployment.phase !== 'activating' || hasRecord(deployment, input.contact)) return false;
  const { desired, memory, now } = input;
  const remembered = memory.hosts.get(deployment.host);
  const target = targetOf(deployment.host, desired, remembered, now);
  if (target?.pin?.cause === 'person') return target.toplevel !== deployment.toplevel;
  if (memory.suspended !== undefined) return true;
  if (holdAt(memory, memberOf(deployment.host, desired), now) !== undefined) return true;
  if (desired.kind !== 'ready') return false;
  const spec = hostsOf(desired).get(deployment.host);
  if (spec === undefined || target?.toplevel !== deployment.toplevel) return true;
  // Whoever goes back with its wave waits for no window; the others wait for the next one.
  const rules = { windows: spec.windows, freezes: desired.fleet.freezes, overrides: memory.overrides };
  if (target.pin !== undefined && !isBack({ remembered, contact: input.contact }, target.pin)) return false;
  return !mayStart({ ...rules, member: spec }, now).open;
}

function hasRecord(deployment: Deployment, contact: HostContact | undefined): boolean {
  return (
    contact?.kind === 'reached' &&
    contact.report.records.some((record) => record.deployment === deployment.id)
  );
}

/**
 * An activation of an earlier leadership that its host has no record of would begin only now, while it is not known
 * yet what is wanted: perhaps something newer. One that has begun is resumed at once, because it needs confirming. Pure.
 */
export function mustNotStartYet(
  deployment: Deployment,
  input: {
    readonly desired: Desired;
    readonly memory: Memory;
    readonly contact: HostContact | undefined;
  },
): boolean {
  return (
    deployment.phase === 'activating' &&
    deployment.token.epoch < input.memory.epoch &&
    input.desired.kind === 'unknown' &&
    !hasRecord(deployment, input.contact)
  );
}

/** The host has seen this token or a higher one, and has no record: it never started, and cannot start any more. */
export function cannotStart(deployment: Deployment, contact: HostContact | undefined): boolean {
  if (contact?.kind !== 'reached' || hasRecord(deployment, contact)) return false;
  const highest = contact.report.highestToken;
  return highest !== undefined && compareTokens(highest, deployment.token) >= 0;
}
