import { untidied, type HostContact } from './contact.ts';
import { isStuck, type HostMemory } from './memory.ts';
import type { Verdict } from './verdict.ts';

/** Is the host what Git says? */
export type Sync = 'Synced' | 'OutOfSync' | 'Stalled' | 'Unknown';
/** How does the host do? Unreachable is a state, not a failure. */
export type Health = 'Healthy' | 'Progressing' | 'Degraded' | 'Unreachable' | 'Held' | 'Unknown';

/** The two axes on which people see a host. Pure. */
export function axesOf(
  verdict: Verdict,
  contact: HostContact | undefined,
  remembered: HostMemory | undefined,
): { readonly sync: Sync; readonly health: Health } {
  return { sync: syncOf(verdict, contact, remembered), health: healthOf(verdict, contact, remembered) };
}

function syncOf(
  verdict: Verdict,
  contact: HostContact | undefined,
  remembered: HostMemory | undefined,
): Sync {
  const desired = verdict.toplevel ?? remembered?.desired;
  switch (verdict.kind) {
    case 'in-sync':
      return 'Synced';
    case 'deliver':
    case 'activate':
    case 'finalise':
    case 'superseded':
      return 'OutOfSync';
    case 'stalled':
      return 'Stalled';
    case 'wait':
      if (verdict.waitsFor === 'the source' || verdict.waitsFor === 'evaluation') return 'Unknown';
      return 'OutOfSync';
    case 'held':
    case 'unmanaged':
      if (contact?.kind !== 'reached' || desired === undefined) return 'Unknown';
      return contact.report.current === desired ? 'Synced' : 'OutOfSync';
    case 'probe':
    case 'unreachable':
    case 'orphaned':
      return 'Unknown';
  }
}

function healthOf(
  verdict: Verdict,
  contact: HostContact | undefined,
  remembered: HostMemory | undefined,
): Health {
  if (verdict.kind === 'held') return 'Held';
  if (verdict.kind === 'unreachable') return 'Unreachable';
  if (verdict.kind === 'deliver' || verdict.kind === 'activate' || verdict.kind === 'finalise')
    return 'Progressing';
  if (verdict.kind === 'wait' && (verdict.waitsFor === 'activation' || verdict.waitsFor === 'recovery')) {
    return 'Progressing';
  }
  if (isStuck(remembered, verdict) || verdict.code === 'DRIFTED') return 'Degraded';
  if (contact?.kind !== 'reached') return 'Unknown';
  const { report, checks } = contact;
  const troubled = report.failedUnits.length + report.restarting.length > 0 || untidied(report) !== undefined;
  return troubled || checks.some((check) => !check.healthy) ? 'Degraded' : 'Healthy';
}
