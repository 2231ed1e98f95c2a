import type { Window } from '../../../shared/domain/policy.ts';
import { spanAt, type Span } from './openings.ts';

/** What closes windows taken together. */
export type Obstacle =
  | { readonly kind: 'denied'; readonly by: Window }
  | { readonly kind: 'outside' }
  | { readonly kind: 'unreadable'; readonly window: Window };

/** All windows together are open, or closed, from one instant until another. */
interface Stretch {
  readonly open: boolean;
  /** Instants up to which that is known, in order; more are found when they are asked for. */
  readonly steps: number[];
  /** `changed`: the last step is the first instant at which it is otherwise. */
  end: 'unknown' | 'changed' | 'never';
}

/** Looking ahead ends there: beyond it nobody plans, and a search without end would stop the controller. */
const farthestMs = 5 * 366 * 24 * 3_600_000;
/** The same for windows that open every few minutes and never change anything. */
const mostSteps = 1_000;
const mostStretches = 8;

/**
 * By the array, which all hosts share and a pass hands out again. A search that led far is then made once, not with
 * every pass, and goes on where it ended.
 */
const stretches = new WeakMap<readonly Window[], Stretch[]>();

/** Whether windows are open at a time, and until when: `undefined` where no change is in sight. */
export function stretchAt(
  windows: readonly Window[],
  at: number,
): { readonly open: boolean; readonly until: number | undefined } {
  if (windows.length === 0) return { open: true, until: undefined };
  const stretch = stretchOf(windows, at);
  const past = stretch.steps.findLastIndex((step) => step <= at);
  while (stretch.end === 'unknown' && stretch.steps.length - past <= mostSteps) {
    const last = stretch.steps.at(-1) ?? at;
    if (last - at > farthestMs) break;
    lookOn(windows, stretch, last);
  }
  // Time goes on: what is long past is not asked for again.
  if (past > mostSteps) stretch.steps.splice(0, past);
  const change = stretch.end === 'changed' ? stretch.steps.at(-1) : undefined;
  const inSight = change !== undefined && change - at <= farthestMs;
  return { open: stretch.open, until: inSight ? change : undefined };
}

function stretchOf(windows: readonly Window[], at: number): Stretch {
  const known = stretches.get(windows) ?? [];
  stretches.set(windows, known);
  const found = known.find(({ steps, end }) => {
    const [first = Infinity] = steps;
    return first <= at && (end === 'never' || at < (steps.at(-1) ?? first));
  });
  if (found !== undefined) return found;
  const fresh: Stretch = { open: lookAt(windows, at).open, steps: [at], end: 'unknown' };
  known.push(fresh);
  if (known.length > mostStretches) known.shift();
  return fresh;
}

function lookOn(windows: readonly Window[], stretch: Stretch, at: number): void {
  const { open, until } = lookAt(windows, at);
  if (open !== stretch.open) stretch.end = 'changed';
  else if (until === undefined) stretch.end = 'never';
  else stretch.steps.push(until);
}

interface Look {
  readonly open: boolean;
  /** It stays so until then at least. */
  readonly until: number | undefined;
}

function lookAt(windows: readonly Window[], at: number): Look {
  const spans = windows.map((window) => ({ kind: window.kind, span: spanAt(window, at) }));
  if (spans.some(({ span }) => span === undefined)) return { open: false, until: undefined };
  const of = (kind: Window['kind'], active: boolean): readonly Span[] =>
    spans.flatMap((one) => (one.kind === kind && one.span?.active === active ? [one.span] : []));
  const denying = of('deny', true);
  if (denying.length > 0) return { open: false, until: latest(denying) };
  const allowing = of('allow', true);
  const untilDenied = soonest(of('deny', false));
  if (allowing.length > 0) return { open: true, until: Math.min(untilDenied, latest(allowing)) };
  const waiting = of('allow', false);
  const until = waiting.length > 0 ? soonest(waiting) : untilDenied;
  return { open: waiting.length === 0, until: until === Infinity ? undefined : until };
}

function soonest(spans: readonly Span[]): number {
  return Math.min(...spans.map(({ until }) => until ?? Infinity));
}

function latest(spans: readonly Span[]): number {
  return Math.max(...spans.map(({ until }) => until ?? Infinity));
}

/** What closes windows at a time, if anything does. Of several the same one is named, in whatever order they come. */
export function obstacleAt(windows: readonly Window[], at: number): Obstacle | undefined {
  const sorted = [...windows].sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
  const unreadable = sorted.find((window) => spanAt(window, at) === undefined);
  if (unreadable !== undefined) return { kind: 'unreadable', window: unreadable };
  const active = sorted.filter((window) => spanAt(window, at)?.active === true);
  const by = active.find(({ kind }) => kind === 'deny');
  if (by !== undefined) return { kind: 'denied', by };
  const allows = windows.some(({ kind }) => kind === 'allow');
  return allows && active.length === 0 ? { kind: 'outside' } : undefined;
}

function textOf({ schedule, durationMs, timeZone }: Window): string {
  return `${schedule} ${timeZone} ${durationMs}`;
}
