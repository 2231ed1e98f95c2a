import type { HoldView, OverrideView, PinView, SuspensionView } from '../../shared/contracts/api-common.ts';
import { lasts, overridesAt, pinAt, type HoldOn } from '../../shared/domain/memory.ts';
import type { FactOf } from '../../shared/domain/facts.ts';
import type { HostName } from '../../shared/domain/names.ts';
import { scopeWord } from '../../shared/domain/policy.ts';
import { holdOf, memberAt, type ViewContext } from './context.ts';

/** What people have said, as it is shown with what it is about: who, why, since when, until when. */
export interface SaidOf {
  readonly hold: HoldView | undefined;
  readonly pin: PinView | undefined;
  readonly override: OverrideView | undefined;
}

export function saidOf(context: ViewContext, host: HostName): SaidOf {
  const { memory, at } = context;
  const hold = holdOf(context, host);
  const pin = pinAt(memory.hosts.get(host), at);
  const override = overridesAt(memory, memberAt(context, host), at).toSorted((a, b) => b.until - a.until)[0];
  return {
    hold: hold && holdView(hold),
    pin: pin && {
      cause: pin.cause,
      toplevel: pin.to.toplevel,
      observation: pin.to.observation,
      by: pin.by,
      reason: pin.reason,
      since: pin.at,
    },
    override: override && overrideView(override),
  };
}

/** The same with what is said of everything, where one host is shown alone. */
export function saidAround(
  context: ViewContext,
  host: HostName,
): SaidOf & { readonly suspended: SuspensionView | undefined } {
  return { suspended: suspensionOf(context), ...saidOf(context, host) };
}

export function suspensionOf({ memory }: ViewContext): SuspensionView | undefined {
  const { suspended } = memory;
  return suspended && { by: suspended.by, reason: suspended.reason, since: suspended.at };
}

/** The holds of groups and of the whole fleet that last. */
export function wideHolds({ memory, at }: ViewContext): readonly HoldView[] {
  return memory.holds.filter((hold) => lasts(hold, at)).map(holdView);
}

export function overridesNow({ memory, at }: ViewContext): readonly OverrideView[] {
  return memory.overrides.filter(({ until }) => until > at).map(overrideView);
}

export function holdView({ scope, by, reason, at, until }: HoldOn): HoldView {
  return { scope: scopeWord(scope), by, reason, since: at, until };
}

function overrideView({ scope, by, reason, at, until }: FactOf<'override'>): OverrideView {
  return { scope: scopeWord(scope), by, reason, since: at, until };
}
