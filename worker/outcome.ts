import type { WorkerEvent } from '../shared/domain/transition.ts';
import type { ActivateOutcome } from '../shared/platform/ports/steps.ts';

/** What an activation's outcome means for its deployment; `undefined`: it has not ended, the step is run again. */
export function activationEnd(outcome: ActivateOutcome): Extract<WorkerEvent, { kind: 'ended' }> | undefined {
  switch (outcome.kind) {
    case 'ended':
      return outcome;
    case 'refused':
      // The host changed nothing. Whether it is worth another try is the failure's own disposition.
      return { kind: 'ended', end: { kind: 'failed', failure: outcome.failure }, previous: undefined };
    case 'unknown':
      return undefined;
  }
}
