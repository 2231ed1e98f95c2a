import type { RecordedEnd } from '../shared/domain/contact.ts';
import type { ActivateOutcome } from '../shared/platform/ports/steps.ts';

/** What an activation's outcome means for its deployment; `undefined`: it has not ended, the step is run again. */
export function activationEnd(outcome: ActivateOutcome): RecordedEnd | undefined {
  switch (outcome.kind) {
    case 'ended':
      return outcome.end;
    case 'refused':
      // The host changed nothing. Whether it is worth another try is the failure's own disposition.
      return { kind: 'failed', failure: outcome.failure };
    case 'unknown':
      return undefined;
  }
}
