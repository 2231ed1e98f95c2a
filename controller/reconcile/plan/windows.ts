import type { FactOf } from '../../../shared/domain/facts.ts';
import { isIn, type Freeze, type Member, type Window } from '../../../shared/domain/policy.ts';
import { obstacleAt, stretchAt, type Obstacle } from './window-stretches.ts';
import { deniedText, freezeText, outsideText, unreadableText } from './window-text.ts';

/** What may keep an activation on a host from being started, by the clock. */
export interface StartRules {
  readonly windows: readonly Window[];
  readonly freezes: readonly Freeze[];
  readonly overrides: readonly FactOf<'override'>[];
  readonly member: Member;
}

/** `until`: when this next changes; `undefined`: never, as far as windows are looked ahead. */
export type MayStart =
  | {
      readonly open: true;
      readonly until: number | undefined;
      /** It would be closed, were it not for this. */
      readonly overridden?: { readonly by: string; readonly reason: string; readonly until: number };
    }
  | { readonly open: false; readonly reason: string; readonly until: number | undefined };

/** Only what is about the host. */
interface Rules {
  readonly windows: readonly Window[];
  readonly freezes: readonly Freeze[];
  readonly overrides: readonly FactOf<'override'>[];
}

/** The answers of one pass: of ten thousand hosts, few differ in what applies to them. */
interface Pass {
  readonly now: number;
  readonly freezes: readonly Freeze[];
  readonly overrides: readonly FactOf<'override'>[];
  /** By which of the freezes and overrides apply. */
  readonly answers: Map<string, MayStart>;
}

/** By the array of windows, which hosts share. */
const passes = new WeakMap<readonly Window[], Pass>();

/**
 * Whether an activation may start on a host now: what has started is never interrupted, so nobody asks this of one
 * that is under way. An override opens everything in its scope; else a freeze closes, else a deny window that is
 * active, else allow windows of which none is. Without any window it is open. Pure: what is kept between calls is
 * only what they would find out again, so no array may be changed once it was handed in.
 */
export function mayStart({ windows, freezes, overrides, member }: StartRules, now: number): MayStart {
  const { answers } = passOf(windows, freezes, overrides, now);
  let key = '';
  for (const said of [freezes, overrides]) {
    for (const { scope } of said) key += isIn(scope, member) ? 'y' : 'n';
  }
  const before = answers.get(key);
  if (before !== undefined) return before;
  const mine = ({ scope, until }: Said) => until > now && isIn(scope, member);
  const found = answer({ windows, freezes: freezes.filter(mine), overrides: overrides.filter(mine) }, now);
  answers.set(key, found);
  return found;
}

function passOf(
  windows: readonly Window[],
  freezes: readonly Freeze[],
  overrides: readonly FactOf<'override'>[],
  now: number,
): Pass {
  const pass = passes.get(windows);
  if (pass?.now === now && pass.freezes === freezes && pass.overrides === overrides) return pass;
  const fresh: Pass = { now, freezes, overrides, answers: new Map() };
  passes.set(windows, fresh);
  return fresh;
}

function answer(rules: Rules, now: number): MayStart {
  const until = nextChange(rules, now);
  const closedBy = whyClosed(rules, now, until);
  if (closedBy === undefined) return { open: true, until };
  const override = overrideAt(rules, now);
  if (override === undefined) return { open: false, reason: closedBy, until };
  const { by, reason } = override;
  return { open: true, until, overridden: { by, reason, until: override.until } };
}

/** Why it is closed, were there no override. */
function whyClosed(rules: Rules, now: number, opens: number | undefined): string | undefined {
  const freeze = freezeAt(rules, now);
  if (freeze !== undefined) return freezeText(freeze);
  const obstacle = obstacleAt(rules.windows, now);
  return obstacle === undefined ? undefined : obstacleText(obstacle, opens);
}

function obstacleText(obstacle: Obstacle, opens: number | undefined): string {
  switch (obstacle.kind) {
    case 'denied':
      return deniedText(obstacle.by);
    case 'unreadable':
      return unreadableText(obstacle.window);
    case 'outside':
      return outsideText(opens);
  }
}

/** The first instant at which open has become closed, or closed open. */
function nextChange(rules: Rules, now: number): number | undefined {
  const { open, until } = standingAt(rules, now);
  let at = until;
  while (at !== undefined) {
    const then = standingAt(rules, at);
    if (then.open !== open) return at;
    at = then.until;
  }
  return undefined;
}

interface Standing {
  readonly open: boolean;
  /** It stays so until then at least; `undefined`: for good, as far as is looked ahead. */
  readonly until: number | undefined;
}

function standingAt(rules: Rules, at: number): Standing {
  const override = overrideAt(rules, at);
  if (override !== undefined) return { open: true, until: override.until };
  const overridden = rules.overrides.map((one) => one.at).filter((from) => from > at);
  const freeze = freezeAt(rules, at);
  if (freeze !== undefined) return { open: false, until: earliest([freeze.until, ...overridden]) };
  const { open, until } = stretchAt(rules.windows, at);
  const frozen = rules.freezes.map(({ from }) => from).filter((from) => from > at);
  return { open, until: earliest([until, ...(open ? frozen : overridden)]) };
}

/** Of several that are in force, the one that is so the longest. */
function overrideAt({ overrides }: Rules, at: number): FactOf<'override'> | undefined {
  return longest(overrides.filter((one) => one.at <= at && at < one.until));
}

function freezeAt({ freezes }: Rules, at: number): Freeze | undefined {
  return longest(freezes.filter(({ from, until }) => from <= at && at < until));
}

type Said = Freeze | FactOf<'override'>;

function longest<One extends Said>(these: readonly One[]): One | undefined {
  let found: One | undefined;
  for (const one of these) {
    if (found === undefined || one.until > found.until) found = one;
    // The answer must not depend on an order that means nothing.
    else if (one.until === found.until && signature(one) < signature(found)) found = one;
  }
  return found;
}

function signature(said: Said): string {
  return `${'by' in said ? said.by : said.author} ${said.reason}`;
}

function earliest(instants: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined;
  for (const at of instants) {
    if (at !== undefined && (first === undefined || at < first)) first = at;
  }
  return first;
}
