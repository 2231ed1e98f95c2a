import type { HoldView, OverrideView, PinView, SuspensionView } from '../shared/contracts/api-common.ts';
import { ago, until } from './words.ts';

/** What people said, in one line each: who, since when, until when, why. */

/** `held by ada 2 h ago, ends in 3 h: reason`; `routers held by …` where it is a group's, seen from a host. */
export function holdText(hold: HoldView, host: string | undefined, now: number): string {
  const whose = hold.scope === host ? '' : `${hold.scope} `;
  const end = hold.until === undefined ? 'until released' : `ends ${until(hold.until, now)}`;
  return `${whose}held by ${hold.by} ${ago(hold.since, now)}, ${end}: ${hold.reason}`;
}

export function overrideText(override: OverrideView, now: number): string {
  const { scope, by, since, reason } = override;
  return `windows and freezes of ${scope} overridden by ${by} ${ago(since, now)}, ends ${until(override.until, now)}: ${reason}`;
}

export function suspensionText({ by, since, reason }: SuspensionView, now: number): string {
  return `suspended by ${by} ${ago(since, now)}, until \`varve resume\`: ${reason}`;
}

/**
 * Where a host returns, or has returned, to. Who, since when and why is left to the hold that came with it, and why to a
 * reason that has it, where they stand beside it.
 */
export function pinText(
  { observation, cause, by, since, reason }: PinView,
  beside: { readonly hold?: HoldView | undefined; readonly reason?: string | undefined },
  now: number,
): string {
  const { hold } = beside;
  const where = `rolled back to generation ${observation}`;
  if (cause === 'person' && hold?.since === since && hold.by === by) return where;
  const who = cause === 'wave' ? 'with its wave' : `by ${by}`;
  const end = cause === 'wave' ? 'a commit or a retry' : 'released';
  const why = beside.reason?.includes(reason) === true ? '' : `: ${reason}`;
  return `${where} ${who} ${ago(since, now)}, until ${end}${why}`;
}
