import type { HostContact } from '../../../shared/domain/contact.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import type { Patience } from './plan-input.ts';

export interface DueProbes {
  readonly hosts: readonly HostName[];
  /** When the next one becomes due. */
  readonly requeueAt: number | undefined;
}

/**
 * Which hosts are to be probed now: those whose verdict needs it, and every other one in its turn. Pure. A host with
 * an activation under way is left alone, so is an orphaned one. `freshSince`: what was asked before then will not do.
 * `looks`: hosts that are watched, and when the next probe of each is due.
 */
export function dueProbes(
  verdicts: readonly Verdict[],
  contacts: ReadonlyMap<HostName, HostContact>,
  patience: Patience,
  now: number,
  freshSince = -Infinity,
  looks: ReadonlyMap<HostName, number> = new Map(),
): DueProbes {
  const hosts: HostName[] = [];
  let requeueAt: number | undefined;
  for (const verdict of verdicts) {
    const contact = contacts.get(verdict.host);
    const stale = contact !== undefined && contact.askedAt < freshSince;
    const usual = earlier(dueAt(verdict, contact, patience, now), looks.get(verdict.host));
    const due = stale && usual !== undefined ? now : usual;
    if (due === undefined) continue;
    if (due <= now) hosts.push(verdict.host);
    else requeueAt = Math.min(requeueAt ?? due, due);
  }
  return { hosts, requeueAt };
}

function earlier(usual: number | undefined, look: number | undefined): number | undefined {
  return usual === undefined || look === undefined ? usual : Math.min(usual, look);
}

function dueAt(
  verdict: Verdict,
  contact: HostContact | undefined,
  patience: Patience,
  now: number,
): number | undefined {
  switch (verdict.kind) {
    case 'probe':
      return now;
    case 'unreachable':
      return verdict.until ?? now;
    case 'orphaned':
      return undefined;
    case 'wait':
      if (verdict.waitsFor === 'activation') return undefined;
      if (verdict.waitsFor === 'recovery' || verdict.waitsFor === 'lock') return verdict.until ?? now;
      break;
    default:
      break;
  }
  if (contact === undefined) return now;
  const inTurn = contact.askedAt + restMs(contact, patience);
  // Whether it is ready by now is for a probe to say.
  return verdict.waitsFor === 'check' ? Math.min(inTurn, verdict.until ?? now) : inTurn;
}

/** A host with a failed check is asked again as soon as that check may say something else. */
function restMs(contact: HostContact, { probeEveryMs, lookAgainMs }: Patience): number {
  let soonest = probeEveryMs;
  for (const check of contact.kind === 'reached' ? contact.checks : []) {
    if (!check.healthy) soonest = Math.min(soonest, check.intervalMs);
  }
  return Math.max(soonest, Math.min(10 * lookAgainMs, probeEveryMs));
}
