import { describe, expect, it } from 'vitest';
import { inThePast } from '../../../../../controller/reconcile/plan/past.ts';
import { plan } from '../../../../../controller/reconcile/plan/plan.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import {
  aDeployment,
  adopted,
  aFleet,
  anOutcome,
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

const future = 1_000_000;
const patience = { probeEveryMs: 60_000, backOffMs: 1_000, longestBackOffMs: 10_000, lookAgainMs: 1_000 };

describe('inThePast', () => {
  it('leaves what is not in the future', () => {
    const fact = observed(1, 'A', { at: 500 });
    expect(inThePast(fact, 500)).toBe(fact);
  });

  it('takes what a controller with a fast clock wrote for something that has just happened', () => {
    const fact = inThePast(observed(1, 'A', { at: future }), 500);
    expect(fact).toMatchObject({ at: 500, observation: { n: 1, at: 500 } });
  });

  it('leaves it to the clock of that time whether a roll back was over when another hold came', () => {
    const scope = { kind: 'host', host: host('web1') } as const;
    const hold = (at: number, until: number): Fact => ({
      kind: 'hold',
      at,
      scope,
      by: 'ada',
      reason: 'x',
      until,
    });
    const to = { toplevel: toplevel('A'), drvPath: undefined, observation: 1 };
    const pin = {
      kind: 'pin',
      at: future,
      host: host('web1'),
      by: 'ada',
      reason: 'x',
      cause: 'person',
    } as const;
    const history: Fact[] = [
      hold(future, future + 100),
      { ...pin, to, from: undefined },
      hold(future + 200, future + 9_000),
    ];
    const memory = remembering(...history.map((fact) => inThePast(fact, 500)));
    expect(memory.hosts.get(host('web1'))).toMatchObject({ hold: { until: future + 9_000 }, pin: undefined });
  });

  it('so lets a host go on whose last outcome has a time that is yet to come', () => {
    const history: Fact[] = [
      adopted('web1', toplevel('0')),
      observed(1, 'A', { at: future }),
      released('A', { web1: 'A' }),
      anOutcome(aDeployment(), { at: future }),
      observed(2, 'B', { at: future }),
      released('B', { web1: 'B' }),
    ];
    const contact = reached('web1', running(toplevel('A')), 600);
    const verdict = (facts: readonly Fact[]) => {
      const memory = remembering(...facts);
      const desired = wanting(2, 'B', aFleet([aSpec('web1')]), { web1: 'B' });
      const newest = memory.observations.at(-1);
      return plan(
        desired.kind === 'ready' && newest !== undefined ? { ...desired, observation: newest } : desired,
        { incarnation, memory, contacts: new Map([[host('web1'), contact]]), deployments: [] },
        patience,
        700,
      ).verdicts[0]?.kind;
    };
    expect(verdict(history)).toBe('probe');
    expect(verdict(history.map((fact) => inThePast(fact, 500)))).toBe('deliver');
  });
});
