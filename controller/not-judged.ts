import { FleetError } from '../shared/domain/errors.ts';
import type { Reign } from './reconcile/leader.ts';
import { notLeading } from './reconcile/reconciler.ts';

/**
 * Why nothing can be said of any host yet: another controller leads, or no pass of this leadership has come to its end.
 * That is not the same as that there are no hosts. `undefined`: a pass has judged them.
 */
export function notJudged(
  reign: Pick<Reign, 'last' | 'passFailure'> | undefined,
  otherLeader: string | undefined,
): FleetError | undefined {
  if (reign === undefined) return notLeading(otherLeader);
  if (reign.last !== undefined) return undefined;
  const { passFailure } = reign;
  const hint = 'it is tried again by itself; hosts keep what they have meanwhile';
  if (passFailure !== undefined) {
    const { code, disposition, message } = passFailure;
    return new FleetError({
      ...{ code, disposition },
      message: `nothing is known of hosts yet: this controller leads, but its first pass fails: ${message}`,
      hint: passFailure.hint ?? hint,
    });
  }
  return new FleetError({
    code: 'NOT_LEADER',
    disposition: 'transient',
    message:
      'nothing is known of hosts yet: this controller has only begun to lead, and its first pass has not ended',
    hint: 'try again in a moment',
  });
}
