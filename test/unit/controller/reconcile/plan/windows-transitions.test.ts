import { describe, expect, it } from 'vitest';
import { intentOf } from '../../../../../controller/reconcile/plan/aim.ts';
import { plan } from '../../../../../controller/reconcile/plan/plan.ts';
import { mayStart } from '../../../../../controller/reconcile/plan/windows.ts';
import type { Freeze, Window } from '../../../../../shared/domain/policy.ts';
import {
  aDeployment,
  adopted,
  aFleet,
  aSpec,
  host,
  incarnation,
  observed,
  reached,
  released,
  remembering,
  running,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';

/**
 * Other systems let a window say whether what runs may overrun it, and then have to say what several of them mean
 * together. Here what has begun is always finished, whichever window opens or closes meanwhile, and only what has not
 * begun waits.
 */

const minute = 60_000;
const hour = 60 * minute;
const noon = Date.parse('2026-07-01T12:00:00Z');
const begins = noon - 10 * minute;
const ends = noon + 10 * minute;

/** Opens at noon. */
const deny: Window = { kind: 'deny', schedule: '0 12 * * *', durationMs: hour, timeZone: 'UTC' };
/** Closes at noon. */
const allow: Window = { kind: 'allow', schedule: '0 11 * * *', durationMs: hour, timeZone: 'UTC' };
const alsoUntilNoon: Window = {
  kind: 'allow',
  schedule: '0 10 * * *',
  durationMs: 2 * hour,
  timeZone: 'UTC',
};
const pastNoon: Window = { kind: 'allow', schedule: '30 11 * * *', durationMs: hour, timeZone: 'UTC' };
const atNoon: Window = { kind: 'allow', schedule: '0 12 * * *', durationMs: hour, timeZone: 'UTC' };
const frozen: Freeze = {
  from: noon,
  until: noon + hour,
  reason: 'an audit',
  author: 'ada',
  scope: { kind: 'fleet' },
};

const B = toplevel('B');
const facts = [
  adopted('web1', toplevel('A')),
  observed(1, 'A'),
  released('A', { web1: 'A' }),
  observed(2, 'B'),
  released('B', { web1: 'B' }),
];
const patience = { probeEveryMs: 24 * hour, backOffMs: 1_000, longestBackOffMs: 60_000, lookAgainMs: 500 };

interface Rules {
  readonly windows: readonly Window[];
  readonly freezes?: readonly Freeze[];
}

function isOpen({ windows, freezes = [] }: Rules, now: number): boolean {
  return mayStart({ windows, freezes, overrides: [], member: { name: host('web1'), groups: [] } }, now).open;
}

/** Of a host for which B has been let through, is being activated, or is to be confirmed. */
function verdictsOn(rules: Rules, now: number, phase: 'delivered' | 'activating' | 'confirming') {
  const live = aDeployment({ phase, toplevel: B, observation: 2, createdAt: begins });
  const contact = reached('web1', running(toplevel('A')), begins);
  const contacts = new Map([[contact.host, contact]]);
  const { windows, freezes = [] } = rules;
  const desired = wanting(2, 'B', aFleet([aSpec('web1', { windows })], { freezes }), { web1: 'B' });
  const memory = remembering(...facts, intentOf(live, begins));
  return plan(desired, { incarnation, memory, contacts, deployments: [live] }, patience, now).verdicts;
}

interface Transition {
  readonly name: string;
  readonly rules: Rules;
  /** May something start before noon, and after? */
  readonly before: boolean;
  readonly after: boolean;
}

const transitions: readonly Transition[] = [
  // The nine that Argo CD documents for its `syncOverrun`. Pairs of them differ in that option alone, which is not
  // needed here: both of a pair have the same rules, and what runs goes on in both.
  { name: 'no window, then deny, with overrun', rules: { windows: [deny] }, before: true, after: false },
  { name: 'no window, then deny, without overrun', rules: { windows: [deny] }, before: true, after: false },
  {
    name: 'allow with overrun, then deny with overrun',
    rules: { windows: [allow, deny] },
    before: true,
    after: false,
  },
  {
    name: 'allow with overrun, then deny without overrun',
    rules: { windows: [allow, deny] },
    before: true,
    after: false,
  },
  {
    name: 'allow without overrun, then deny with overrun, while the allow window goes on',
    rules: { windows: [pastNoon, deny] },
    before: true,
    after: false,
  },
  {
    name: 'allow without overrun, then deny without overrun, while the allow window goes on',
    rules: { windows: [pastNoon, deny] },
    before: true,
    after: false,
  },
  { name: 'allow ends', rules: { windows: [allow] }, before: true, after: false },
  {
    name: 'several allows with overrun end together',
    rules: { windows: [allow, alsoUntilNoon] },
    before: true,
    after: false,
  },
  {
    name: 'several allows, one of them without overrun, end together',
    rules: { windows: [alsoUntilNoon, allow] },
    before: true,
    after: false,
  },
  // And what is next to them.
  { name: 'one of several allows ends', rules: { windows: [allow, pastNoon] }, before: true, after: true },
  { name: 'one allow follows another', rules: { windows: [allow, atNoon] }, before: true, after: true },
  { name: 'a freeze begins', rules: { windows: [], freezes: [frozen] }, before: true, after: false },
  {
    name: 'a freeze begins inside an allow window',
    rules: { windows: [pastNoon], freezes: [frozen] },
    before: true,
    after: false,
  },
  { name: 'an allow window opens', rules: { windows: [atNoon] }, before: false, after: true },
  {
    name: 'deny ends while an allow window is active',
    rules: { windows: [pastNoon, { ...deny, schedule: '0 11 * * *' }] },
    before: false,
    after: true,
  },
];

describe.each(transitions)('at the transition: $name', ({ rules, before, after }) => {
  it(`something new may start before: ${before}, and after: ${after}`, () => {
    for (const now of [begins, noon - 1]) expect(isOpen(rules, now)).toBe(before);
    for (const now of [noon, ends]) expect(isOpen(rules, now)).toBe(after);
  });

  it.each(['activating', 'confirming'] as const)(
    'a deployment that is %s goes on, and no other begins',
    (phase) => {
      for (const now of [begins, noon - 1, noon, noon + 1, ends]) {
        expect(verdictsOn(rules, now, phase)).toEqual([
          expect.objectContaining({
            host: 'web1',
            kind: 'wait',
            waitsFor: 'activation',
            toplevel: B,
            deployment: 'd000001',
          }),
        ]);
      }
    },
  );

  it('a deployment that was let through and has not begun is let through as long as something may start', () => {
    const kinds = (now: number) =>
      verdictsOn(rules, now, 'delivered').map(({ kind, waitsFor }) => [kind, waitsFor]);
    const said = (isOpen: boolean) => [isOpen ? ['activate', undefined] : ['wait', 'window']];
    for (const now of [begins, noon - 1]) expect(kinds(now)).toEqual(said(before));
    for (const now of [noon, ends]) expect(kinds(now)).toEqual(said(after));
  });
});
