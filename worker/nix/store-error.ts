import { FleetError } from '../../shared/domain/errors.ts';
import { isDiskFull } from './failure-words.ts';

/** The error of what the worker's own store did not do: `what` that was, and Nix's words for why. */
export function storeError(what: string, text: string, cause?: unknown): FleetError {
  if (isDiskFull(text)) {
    return new FleetError({
      code: 'DISK_FULL',
      disposition: 'transient',
      message: "the worker's disk is full",
      hint: 'make room on the worker, for example with nix-collect-garbage',
      cause,
    });
  }
  return new FleetError({ code: 'INTERNAL', disposition: 'transient', message: `${what}: ${text}`, cause });
}
