import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { neededOn, retainOn, tidyOf } from '../../../../../controller/reconcile/plan/retention.ts';
import type { ProbeReport, Tidy } from '../../../../../shared/domain/contact.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import type { HostSpec } from '../../../../../shared/domain/fleet.ts';
import { parseDeploymentId } from '../../../../../shared/domain/names.ts';
import type { Verdict } from '../../../../../shared/domain/verdict.ts';
import {
  aDeployment,
  adopted,
  anOutcome,
  aSpec,
  host,
  owner,
  reached,
  remembering,
  running,
  toplevel,
} from '../../../../support/builders.ts';

const web1 = host('web1');
const hour = 3_600_000;
const now = 1_000 * hour;

const inSync: Verdict = {
  host: web1,
  kind: 'in-sync',
  reason: 'it runs what is wanted',
  waitsFor: undefined,
  until: undefined,
  toplevel: toplevel('D'),
  deployment: undefined,
  code: undefined,
};

/** Systems by letter, the oldest generation first. */
function generations(letters: string): ProbeReport['generations'] {
  return letters
    .split('')
    .map((letter, i) => ({ number: i + 1, toplevel: toplevel(letter) }))
    .toReversed();
}

/** Each of the letters was confirmed, one after the other. */
function confirmed(letters: string): Fact[] {
  return letters
    .split('')
    .map((letter, i) =>
      anOutcome(aDeployment({ id: parseDeploymentId(`d00000${i}`), toplevel: toplevel(letter) })),
    );
}

const pinnedTo = (letter: string): Fact => ({
  kind: 'pin',
  at: 1,
  host: web1,
  by: 'ada',
  reason: 'it worked',
  cause: 'wave',
  to: { toplevel: toplevel(letter), drvPath: undefined, observation: 1 },
  from: toplevel('D'),
});

interface Given {
  readonly letters?: string;
  readonly report?: Partial<ProbeReport>;
  readonly retention?: HostSpec['retention'];
  readonly facts?: readonly Fact[];
  readonly verdict?: Partial<Verdict>;
}

/** What is to go from a host on which generation after generation was confirmed and that now rests on the newest. */
function tidied(given: Given = {}): Tidy | undefined {
  const letters = given.letters ?? 'ABCD';
  const memory = remembering(
    adopted('web1', toplevel('A')),
    ...confirmed(letters.slice(1)),
    ...(given.facts ?? []),
  );
  const runs = toplevel(letters.at(-1) ?? '');
  const report = running(runs, {
    profileGeneration: letters.length,
    generations: generations(letters),
    ...given.report,
  });
  return tidyOf(
    {
      spec: aSpec('web1', { retention: given.retention ?? { keep: 1, collectGarbage: false } }),
      remembered: memory.hosts.get(web1),
      contact: reached('web1', report, now),
    },
    { ...inSync, toplevel: runs, ...given.verdict },
    memory,
    now,
  );
}

describe('tidyOf', () => {
  it('takes the oldest generations, by number, and keeps as many as the policy says', () => {
    expect(tidied({ letters: 'ABCDEFGHIJKLMNO', retention: { keep: 3, collectGarbage: false } })).toEqual({
      profile: toplevel('O'),
      generation: 15,
      generations: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
      bootMenu: false,
      collectGarbage: false,
    });
  });

  it('keeps what the host ran before, what it was booted with and what it is pinned to, however old', () => {
    expect(tidied({ letters: 'ABCDEF' })?.generations).toEqual([1, 2, 3, 4]);
    expect(tidied({ letters: 'ABCDEF', report: { booted: toplevel('A') } })?.generations).toEqual([2, 3, 4]);
    expect(tidied({ letters: 'ABCDEF', facts: [pinnedTo('C')] })?.generations).toEqual([1, 2, 4]);
  });

  it('keeps the newest generation of a system that is needed, not all of them', () => {
    expect(tidied({ letters: 'ABABAB' })?.generations).toEqual([1, 2, 3, 4]);
  });

  it('keeps the generation that the profile points to although newer ones have the same system', () => {
    expect(tidied({ letters: 'AABA', report: { profileGeneration: 1 } })?.generations).toEqual([2]);
  });

  it('has nothing to do where there are few enough', () => {
    expect(tidied({ retention: { keep: 4, collectGarbage: false } })).toBeUndefined();
    expect(tidied({ report: { generations: [] } })).toBeUndefined();
  });

  const held: Fact = {
    kind: 'hold',
    at: 1,
    scope: { kind: 'fleet' },
    by: 'ada',
    reason: 'x',
    until: undefined,
  };
  const intent: Fact = {
    kind: 'intent',
    at: 1,
    aim: anOutcome(aDeployment({ id: parseDeploymentId('d000099') })).aim,
    connection: aDeployment().next,
    reason: 'x',
    createdAt: 1,
  };
  const stuck = anOutcome(aDeployment({ id: parseDeploymentId('d000098') }), { phase: 'stuck' });
  const open = {
    deployment: parseDeploymentId('d000001'),
    token: { epoch: 1, counter: 1 },
    toplevel: toplevel('A'),
    previous: undefined,
    bootId: 'boot-1',
    end: undefined,
  };
  it.for<readonly [string, Given]>([
    ['it is held', { facts: [held] }],
    ['everything is suspended', { facts: [{ kind: 'suspended', at: 1, by: 'ada', reason: 'x' }] }],
    ['how an activation ended is not known', { facts: [intent] }],
    ['a roll back failed there', { facts: [stuck] }],
    ['the guard is at work there', { report: { records: [open] } }],
    ['somebody switches its configuration', { report: { locked: true } }],
    ['another Varve has it', { report: { owner: 'another' } }],
    ['it would boot something else than its profile', { report: { bootDefault: toplevel('A') } }],
    ['nobody knows which generation its profile is', { report: { profileGeneration: undefined } }],
    ['it is not in sync', { verdict: { kind: 'stalled' } }],
    ['it only tries what is wanted, and runs something else', { verdict: { toplevel: toplevel('E') } }],
    ['it only tests what is wanted', { report: { profile: toplevel('C'), bootDefault: toplevel('C') } }],
    ['a deployment of it is under way', { verdict: { deployment: parseDeploymentId('d000001') } }],
  ])('takes nothing while %s', ([, given]) => {
    expect(tidied(given)).toBeUndefined();
  });

  it('has the boot menu written again after a failure, later and later', () => {
    const letters = 'AB';
    const after = (failures: number, agoMs: number) =>
      tidied({ letters, report: { tidied: { failures, agoMs, failure: 'the disk is full' } } });
    expect(after(1, hour / 6)).toMatchObject({ generations: [], bootMenu: true });
    expect(after(1, hour / 6 - 1)).toBeUndefined();
    expect(after(3, hour / 2)).toBeUndefined();
    expect(after(3, hour)).toBeDefined();
    expect(after(1_000, 24 * hour)).toBeDefined();
    expect(after(0, hour)).toBeUndefined();
  });

  it('has garbage collected where the policy wants it, once a day', () => {
    const collects = (given: Given) =>
      tidied({ letters: 'AB', retention: { keep: 5, collectGarbage: true }, ...given })?.collectGarbage;
    expect(collects({})).toBe(true);
    expect(collects({ report: { collectedAgoMs: 24 * hour } })).toBe(true);
    expect(collects({ report: { collectedAgoMs: 23 * hour } })).toBeUndefined();
    expect(collects({ retention: { keep: 1, collectGarbage: false } })).toBeUndefined();
  });

  it('has garbage collected as well where what is wanted is only tested or tried, and no generation taken', () => {
    const given: Given = { letters: 'ABCDE', retention: { keep: 1, collectGarbage: true } };
    const trying = tidied({ ...given, verdict: { toplevel: toplevel('F') } });
    expect(trying).toMatchObject({ generations: [], bootMenu: false, collectGarbage: true });
  });

  const anyLetter = fc.constantFrom('A', 'B', 'C', 'D', 'E', 'F', 'G', 'H');
  const histories = fc.record({
    letters: fc.array(anyLetter, { minLength: 1, maxLength: 30 }),
    at: fc.nat(),
    booted: anyLetter,
    pin: fc.option(anyLetter, { nil: undefined }),
    keep: fc.nat(12),
  });
  it('never takes what is needed, nor what is not there, and has nothing left to take afterwards', () => {
    fc.assert(
      fc.property(histories, ({ letters, at, booted, pin, keep }) => {
        const all = generations(letters.join(''));
        const profileGeneration = (at % letters.length) + 1;
        const profile = toplevel(letters[profileGeneration - 1] ?? '');
        const given: Given = {
          letters: letters.join(''),
          retention: { keep, collectGarbage: false },
          facts: pin === undefined ? [] : [pinnedTo(pin)],
          report: {
            current: profile,
            booted: toplevel(booted),
            profile,
            bootDefault: profile,
            profileGeneration,
          },
          verdict: { toplevel: profile },
        };
        const gone = tidied(given)?.generations ?? [];
        const numbers = all.map(({ number }) => number);
        expect(numbers).toEqual(expect.arrayContaining([...gone]));
        const kept = all.filter(({ number }) => !gone.includes(number));
        const stays = kept.map(({ number }) => number);
        expect(stays).toEqual(expect.arrayContaining([...numbers.slice(0, keep), profileGeneration]));
        const memory = remembering(
          adopted('web1', toplevel('A')),
          ...confirmed(letters.slice(1).join('')),
          ...(given.facts ?? []),
        );
        const needed = [...neededOn(memory.hosts.get(web1)), toplevel(booted), profile].filter((system) =>
          all.some((each) => each.toplevel === system),
        );
        expect(kept.map((each) => each.toplevel)).toEqual(expect.arrayContaining(needed));
        expect(tidied({ ...given, report: { ...given.report, generations: kept } })).toBeUndefined();
        expect(tidied({ ...given, report: { ...given.report, generations: all.toReversed() } })).toEqual(
          tidied(given),
        );
      }),
    );
  });
});

describe('retainOn', () => {
  it('names what the host may have to return to, and how many generations need no telling', () => {
    const memory = remembering(adopted('web1', toplevel('A')), ...confirmed('BC'), pinnedTo('A'));
    const remembered = memory.hosts.get(web1);
    expect(retainOn(memory, remembered, aSpec('web1'))).toEqual({
      owner,
      toplevels: [toplevel('C'), toplevel('B'), toplevel('A')],
      keep: 10,
    });
    expect(retainOn(memory, remembered, undefined)?.keep).toBeUndefined();
  });

  it('has no word on a host that is not ours', () => {
    expect(retainOn(remembering(), undefined, aSpec('web1'))).toBeUndefined();
  });
});
