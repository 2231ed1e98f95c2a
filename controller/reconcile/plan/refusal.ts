import type { Verdict } from '../../../shared/domain/verdict.ts';

/** What keeps a delivered host from being activated now; `undefined`: nothing. */
export type Refusal = Pick<Verdict, 'kind' | 'reason' | 'waitsFor' | 'until' | 'code'>;

export const waiting = { kind: 'wait', until: undefined, code: undefined } as const;

/** Nothing goes on by itself: the reason names what speaks against the release. */
export function halted(reason: string): Refusal {
  return {
    kind: 'stalled',
    waitsFor: 'commit or retry',
    until: undefined,
    code: 'ROLLOUT_HALTED',
    reason,
  };
}
