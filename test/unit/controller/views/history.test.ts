import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { ViewContext } from '../../../../controller/views/context.ts';
import { generationsOf } from '../../../../controller/views/generations.ts';
import { fleetHistory, hostHistory } from '../../../../controller/views/history.ts';
import { outcomesByHost } from '../../../../controller/views/outcome-index.ts';
import type { Phase } from '../../../../shared/domain/deployment.ts';
import type { Fact } from '../../../../shared/domain/facts.ts';
import { type Memory } from '../../../../shared/domain/memory.ts';
import { createMemory } from '../../../../shared/domain/memory-keeper.ts';
import { parseDeploymentId } from '../../../../shared/domain/names.ts';
import {
  aDeployment,
  adopted,
  anOutcome,
  host,
  observed,
  released,
  remembering,
  toplevel,
} from '../../../support/builders.ts';

const names = ['web1', 'web2', 'db1'];
const observations = 6;

function viewing(memory: Memory): ViewContext {
  const source = { revision: undefined, failure: undefined, lookedAt: undefined } as unknown;
  return {
    at: 0,
    memory,
    source: source as ViewContext['source'],
    last: undefined,
    activity: () => undefined,
  };
}

let made = 0;
function ended(name: string, n: number, letter: string, phase: Phase, at = n * 1_000 + 400): Fact {
  made += 1;
  const deployment = aDeployment({
    id: parseDeploymentId(`d${String(made).padStart(8, '0')}`),
    host: host(name),
    observation: n,
    toplevel: toplevel(letter, name),
  });
  return anOutcome(deployment, { phase, at, createdAt: at - 100 });
}

/** A fleet whose every observation has a release of its own, of one of three letters. */
const base: readonly Fact[] = [
  ...names.map((name) => adopted(name, undefined)),
  ...Array.from({ length: observations }, (_, i) => observed(i + 1, 'ABC'[i % 3] ?? 'A')),
  ...['A', 'B'].map((letter) => released(letter, Object.fromEntries(names.map((name) => [name, letter])))),
];

const anEnd = fc
  .record({
    name: fc.constantFrom(...names),
    n: fc.integer({ min: 1, max: observations }),
    letter: fc.constantFrom('A', 'B', 'C'),
    phase: fc.constantFrom<Phase>('succeeded', 'awaiting-reboot', 'failed', 'stuck', 'superseded'),
  })
  .map(({ name, n, letter, phase }) => ended(name, n, letter, phase));

describe('the outcomes by host', () => {
  it('are what a search through all of them finds, in whatever order they came', () => {
    fc.assert(
      fc.property(fc.array(anEnd, { maxLength: 40 }), (ends) => {
        const { memory, remember } = createMemory();
        for (const end of ends) {
          remember(end);
          // Asked each time: what came since is taken in, and nothing twice.
          const byHost = outcomesByHost(memory);
          for (const name of names) {
            for (let n = 0; n <= observations + 1; n += 1) {
              const ofHost = memory.outcomes.filter(({ aim }) => aim.host === name);
              expect(byHost(host(name)).attemptsAt(n)).toEqual(
                ofHost.filter(({ aim }) => aim.observation === n),
              );
              const before = ofHost.findLast(
                ({ aim, phase }) =>
                  aim.observation <= n && (phase === 'succeeded' || phase === 'awaiting-reboot'),
              );
              expect(byHost(host(name)).runningBefore(n)).toBe(before?.aim.toplevel);
            }
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("a fleet's history", () => {
  it('counts what is said last of each host', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anEnd, { maxLength: 30 }), async (ends) => {
        const context = viewing(remembering(...base, ...ends));
        const byHost = outcomesByHost(context.memory);
        const { observations: summaries } = await fleetHistory(context, 100);
        expect(summaries.map(({ observation }) => observation.n)).toEqual([6, 5, 4, 3, 2, 1]);
        for (const [i, { hosts }] of summaries.entries()) {
          const observation = context.memory.observations.at(-1 - i);
          if (observation === undefined) throw new Error('more than was observed');
          const results = names.flatMap((name) =>
            generationsOf(context, host(name), observation, byHost(host(name)))
              .slice(0, 1)
              .map(({ result }) => result),
          );
          const count = (...of: readonly string[]): number =>
            results.filter((result) => of.includes(result)).length;
          expect(hosts).toEqual({
            total: results.length,
            unchanged: count('unchanged'),
            succeeded: count('succeeded', 'awaiting-reboot'),
            failed: count('failed', 'stuck'),
            underWay: 0,
          });
        }
      }),
      { numRuns: 100 },
    );
  });

  it('says how long an observation took until its last host had ended', async () => {
    const context = viewing(
      remembering(
        ...base,
        ended('web1', 1, 'A', 'succeeded', 1_700),
        ended('web2', 1, 'A', 'failed', 3_000),
        ended('web2', 1, 'A', 'succeeded', 2_500),
      ),
    );
    const first = (await fleetHistory(context, 100)).observations.at(-1);
    // The repeated attempt counts for web2, and db1 had none.
    expect(first?.durationMs).toBe(1_500);
    expect(first?.hosts).toMatchObject({ total: 3, succeeded: 2, failed: 0 });
  });

  it('of many hosts lets others do something meanwhile: who leads has a lease to renew', async () => {
    const hosts = Array.from({ length: 4_000 }, (_, i) => adopted(`h${i}`, toplevel('A', `h${i}`)));
    const context = viewing(remembering(...base, ...hosts));
    let turns = 0;
    let asking = true;
    const turn = (): void => {
      turns += 1;
      if (asking) setImmediate(turn);
    };
    setImmediate(turn);
    await fleetHistory(context, 100);
    asking = false;
    expect(turns).toBeGreaterThan(1);
  });
});

describe("a host's history", () => {
  const context = viewing(
    remembering(...base, ended('web1', 1, 'A', 'failed'), ended('web1', 1, 'A', 'succeeded')),
  );

  it('is cut where it was asked to be, and ends with the adoption', () => {
    const all = hostHistory(context, host('web1'), 100).generations;
    expect(all.map(({ observation, result }) => [observation, result])).toEqual([
      [6, 'no-deployment'],
      [5, 'no-deployment'],
      [4, 'unchanged'],
      [3, 'no-deployment'],
      [2, 'no-deployment'],
      [1, 'succeeded'],
      [1, 'failed'],
      [0, 'adopted'],
    ]);
    for (let limit = 1; limit <= all.length; limit += 1) {
      expect(hostHistory(context, host('web1'), limit).generations).toEqual(all.slice(0, limit));
    }
  });
});
