import type { Fleet } from '../../../shared/domain/fleet.ts';
import type { HoldOn } from '../../../shared/domain/memory.ts';
import { scopeText } from '../../../shared/domain/policy.ts';
import type { Desired } from '../../../shared/domain/desired.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';

/** A desired state that hosts are judged by. */
export type Followed = Exclude<Desired, { readonly kind: 'unknown' }> & { readonly fleet: Fleet };

export function isFollowed(desired: Desired): desired is Followed {
  return desired.kind !== 'unknown' && desired.fleet !== undefined;
}

/** A verdict without the host that it is about. */
export type Said = Omit<Verdict, 'host' | 'deployment'>;

/** What is said of every host while the newest tree has no release yet. */
export function awaitingRelease({ observation, setback }: Extract<Desired, { readonly kind: 'evaluating' }>) {
  if (setback === undefined) {
    return {
      ...quiet,
      kind: 'wait',
      waitsFor: 'evaluation',
      reason: `the tree of observation ${observation.n} is being evaluated`,
    } as const;
  }
  return {
    ...quiet,
    kind: 'wait',
    waitsFor: 'back-off',
    until: setback.until,
    code: setback.failure.code,
    reason: `the evaluation of observation ${observation.n} is tried again: ${setback.failure.message}`,
  } as const;
}

export function heldReason({ scope, by, reason }: HoldOn): string {
  const what = scope.kind === 'host' ? 'held' : `${scopeText(scope)} is held`;
  return `${what} by ${by}: ${reason}`;
}

export const quiet = { waitsFor: undefined, until: undefined, toplevel: undefined, code: undefined } as const;

/** How a host stands to what is wanted. */
export type State = 'in-sync' | 'reboot' | 'persistent-differs' | 'differs';
