import type { FleetError } from '../../shared/domain/errors.ts';
import { cancelled } from './ssh-errors.ts';

/**
 * A host that does not answer keeps nobody waiting who does not want it any more: rejects with CANCELLED at an abort.
 * What comes of the work after that is for `late`.
 */
export function unlessAborted<Value>(
  work: Promise<Value>,
  signal: AbortSignal | undefined,
  late: (value: Value) => void = () => {},
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(cancelled());
      work.then(late, () => {});
    };
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal?.removeEventListener('abort', onAbort));
  });
}

/** Rejects with `late` when the work takes longer than that. The work goes on. */
export function withinDeadline<Value>(
  work: Promise<Value>,
  deadlineMs: number,
  late: () => FleetError,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), deadlineMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
