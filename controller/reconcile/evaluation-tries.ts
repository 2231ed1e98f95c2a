import type { ReleaseKey } from '../../shared/domain/observation.ts';
import { backOff, type Patience } from './plan/plan-input.ts';

/** How often evaluations failed for passing reasons, and when each may be tried again. */
export interface EvaluationTries {
  /** When a failed one may be tried again; `undefined`: now, which counts as the next try. */
  failed(key: ReleaseKey, now: number): number | undefined;
  /** A person does not want to wait. */
  hurry(now: number): void;
  forget(key: ReleaseKey): void;
}

export function createEvaluationTries(patience: Patience): EvaluationTries {
  const tries = new Map<ReleaseKey, { readonly count: number; readonly notBefore: number }>();
  return {
    failed(key, now) {
      const known = tries.get(key);
      if (known !== undefined && known.notBefore > now) return known.notBefore;
      const count = (known?.count ?? 0) + 1;
      const notBefore = now + backOff(count, patience);
      tries.set(key, { count, notBefore });
      return known === undefined ? notBefore : undefined;
    },
    hurry(now) {
      for (const [key, { count }] of tries) tries.set(key, { count, notBefore: now });
    },
    forget: (key) => void tries.delete(key),
  };
}
