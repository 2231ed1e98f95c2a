import { describe, expect, it } from 'vitest';
import type { Action } from '../../../../shared/domain/deployment.ts';
import type { Scope } from '../../../../shared/domain/policy.ts';
import type { Fact } from '../../../../shared/domain/facts.ts';
import { failureAgainst, holdAt, observationOf } from '../../../../shared/domain/memory.ts';
import { parseDeploymentId } from '../../../../shared/domain/names.ts';
import {
  aDeployment,
  adopted,
  aFailure,
  anObservation,
  anOutcome,
  connection,
  drv,
  host,
  observed,
  released,
  releaseKey,
  remembering,
  toplevel,
} from '../../../support/builders.ts';

const web1 = host('web1');

describe('what the ledger says, remembered', () => {
  it('has in memory once what one release shares with the one before', () => {
    const { releases } = remembering(
      observed(1, 'A'),
      released('A', { web1: 'A', web2: 'A' }),
      observed(2, 'B'),
      released('B', { web1: 'A', web2: 'B' }),
    );
    const [before, after] = ['A', 'B'].map((letter) => releases.get(releaseKey(letter))?.hosts);
    expect(after?.get(web1)).toBe(before?.get(web1));
    expect(after?.get(host('web2'))?.toplevel).toBe(toplevel('B', 'web2'));
  });

  it('counts how often a confirmed system had to be brought back, and takes no reboot for that', () => {
    const again = (id: string, action: Action, at: number): Fact =>
      anOutcome(aDeployment({ id: parseDeploymentId(id), action }), { at });
    const heals = (...facts: readonly Fact[]) =>
      remembering(again('d00first', 'activate', 1), ...facts).hosts.get(web1)?.heals;
    expect(heals()).toBeUndefined();
    expect(heals(again('d0reboot', 'reboot', 2))).toBeUndefined();
    expect(heals(again('d0finali', 'finalise', 3))).toEqual({ count: 1, at: 3 });
    const once = again('d00again', 'activate', 4);
    expect(heals(once)).toEqual({ count: 1, at: 4 });
    expect(heals(once, again('d0reboot', 'reboot', 5))).toEqual({ count: 1, at: 4 });
    expect(heals(once, again('d00twice', 'activate', 6))).toEqual({ count: 2, at: 6 });
  });

  describe('of a system that failed by evidence', () => {
    const fails = anOutcome(aDeployment({ toplevel: toplevel('B') }), {
      at: 10,
      phase: 'rolled-back',
      failure: aFailure(),
      evidence: true,
    });
    const failed = (...facts: readonly Fact[]) => remembering(...facts).hosts.get(web1)?.failed?.toplevel;
    const BthenC = [
      observed(1, 'B'),
      released('B', { web1: 'B' }),
      observed(2, 'C'),
      released('C', { web1: 'C' }),
    ];

    it('is held against nothing else that is wanted by then', () => {
      expect(failed(...BthenC, fails)).toBeUndefined();
    });

    it('is held against what the newest tree turns out to want, if it fails while that is evaluated', () => {
      const evaluating = [...BthenC, observed(3, 'D'), fails];
      expect(failed(...evaluating, released('D', { web1: 'B' }))).toBe(toplevel('B'));
      expect(failed(...evaluating, released('D', { web1: 'A' }))).toBeUndefined();
      expect(failed(...evaluating, released('D', { web1: 'C' }))).not.toBe(toplevel('C'));
    });

    it('stands on the way back, whatever the newest tree turns out to want', () => {
      const to = { toplevel: toplevel('B'), drvPath: drv('B'), observation: 1 };
      const pin: Fact = {
        kind: 'pin',
        at: 5,
        host: web1,
        cause: 'person',
        by: 'ada',
        reason: 'fire',
        to,
        from: undefined,
      };
      const evaluated = [observed(3, 'D'), fails, released('D', { web1: 'A' })];
      const remembered = remembering(...BthenC, pin, ...evaluated).hosts.get(web1);
      expect(remembered && failureAgainst(remembered, toplevel('B'))).toMatchObject({
        toplevel: toplevel('B'),
      });
    });

    it('does not take the place of what failed of the present release', () => {
      const own = anOutcome(aDeployment({ id: parseDeploymentId('d00000d'), toplevel: toplevel('C') }), {
        at: 9,
        phase: 'rolled-back',
        failure: aFailure(),
        evidence: true,
      });
      const facts = [...BthenC, own, observed(3, 'D'), fails];
      expect(failed(...facts, released('D', { web1: 'C' }))).toBe(toplevel('C'));
    });
  });

  describe('of a failed build', () => {
    const inner = drv('inner');
    const failure = aFailure({ code: 'BUILD_FAILED', details: { derivation: inner } });
    const buildFails = (of: string, id: string): Fact =>
      anOutcome(
        aDeployment({
          id: parseDeploymentId(id),
          host: host(of),
          toplevel: toplevel('B', of),
          drvPath: drv('B', of),
        }),
        { at: 10, phase: 'failed', failure },
      );
    const both = { web1: 'B', web2: 'B' };
    const failed = [
      observed(1, 'B'),
      released('B', both),
      buildFails('web1', 'd00000a'),
      buildFails('web2', 'd00000b'),
    ];
    const retry: Fact = { kind: 'retry', at: 20, host: web1, by: 'ada', drift: undefined };
    const remembered = (...facts: readonly Fact[]) =>
      new Set(remembering(...failed, ...facts).failedBuilds.keys());
    const all = new Set([drv('B', 'web1'), drv('B', 'web2'), inner]);

    it('is forgotten by a retry of its host, with what it was that failed inside', () => {
      expect(remembered()).toEqual(all);
      expect(remembered(retry)).toEqual(new Set([drv('B', 'web2')]));
    });

    it('is forgotten as well where the newest tree was being evaluated, and wants the same system', () => {
      const evaluating = [observed(2, 'C'), retry];
      expect(remembered(...evaluating)).toEqual(all);
      expect(remembered(...evaluating, released('C', both))).toEqual(new Set([drv('B', 'web2')]));
      // Once: what fails from then on is remembered.
      const again = anOutcome(
        aDeployment({ id: parseDeploymentId('d00000c'), toplevel: toplevel('B'), drvPath: drv('B') }),
        { at: 30, phase: 'failed', failure },
      );
      const later = [released('C', both), again, observed(3, 'D'), released('D', both)];
      expect(remembered(...evaluating, ...later)).toEqual(all);
    });

    it('is kept where nobody asked for that host', () => {
      const evaluating = [observed(2, 'C'), { ...retry, host: host('web3') }, released('C', both)];
      expect(remembered(...evaluating)).toEqual(all);
    });

    it('is forgotten by a retry of a host whose testing branch it is of', () => {
      const branch: Fact = {
        kind: 'testing',
        at: 5,
        host: web1,
        branch: {
          ...{ revision: anObservation(9, 'T').revision, tree: anObservation(9, 'T').tree },
          ...{ onto: anObservation(2, 'A').revision, key: releaseKey('T') },
          ...{ author: 'Ada', subject: 'a try', ignored: undefined },
        },
      };
      const tested = [observed(2, 'A'), released('A', { web1: 'A' }), branch, released('T', { web1: 'B' })];
      expect(remembered(...tested)).toEqual(all);
      expect(remembered(...tested, retry)).toEqual(new Set([drv('B', 'web2')]));
    });
  });

  it('knows how a host that is stuck may be reached, until something is confirmed there', () => {
    const elsewhere = { ...connection, port: 2222 };
    const stuck = aDeployment({
      id: parseDeploymentId('d00stuck'),
      toplevel: toplevel('B'),
      next: elsewhere,
    });
    const next = aDeployment({ id: parseDeploymentId('d00next1'), toplevel: toplevel('C') });
    const facts = [
      adopted('web1', toplevel('A')),
      anOutcome(stuck, { phase: 'stuck', failure: aFailure(), evidence: true }),
      anOutcome(next, { phase: 'superseded' }),
    ];
    expect(remembering(...facts).hosts.get(web1)?.stuck).toEqual({
      toplevel: toplevel('B'),
      connection: elsewhere,
    });
    const confirmed = anOutcome({ ...next, id: parseDeploymentId('d00good1') });
    expect(remembering(...facts, confirmed).hosts.get(web1)?.stuck).toBeUndefined();
  });

  it('learns nothing of a late failure of what nobody wants any more, and forgets nothing for it', () => {
    const failed = (letter: string, evidence: boolean) =>
      anOutcome(
        aDeployment({
          id: parseDeploymentId(`d00bad${letter.toLowerCase()}${evidence ? 1 : 0}`),
          toplevel: toplevel(letter),
        }),
        {
          ...{ at: 10, phase: 'rolled-back', failure: aFailure({ disposition: 'transient' }), evidence },
        },
      );
    const facts = [adopted('web1', toplevel('A')), observed(1, 'B'), released('B', { web1: 'B' })];
    const host = remembering(...facts, failed('B', false), failed('X', false), failed('X', true)).hosts.get(
      web1,
    );
    expect(host?.setback).toMatchObject({ toplevel: toplevel('B'), count: 1 });
    expect(host?.failedApart).toBeUndefined();
  });

  it('holds what failed against its host also when that has gone back to another system', () => {
    const failed = anOutcome(aDeployment({ toplevel: toplevel('B') }), {
      ...{ at: 10, phase: 'rolled-back', failure: aFailure(), evidence: true },
    });
    const succeeded = (letter: string) =>
      anOutcome(aDeployment({ id: parseDeploymentId('d00good1'), toplevel: toplevel(letter) }), {
        at: 20,
      });
    const facts = [adopted('web1', toplevel('A')), observed(1, 'B'), released('B', { web1: 'B' }), failed];
    const remembered = (last: Fact) => remembering(...facts, last).hosts.get(web1)?.failed?.toplevel;
    expect(remembered(succeeded('A'))).toBe(toplevel('B'));
    expect(remembered(succeeded('B'))).toBeUndefined();
  });

  it('keeps what people did, the last thousand of it', () => {
    const holds = Array.from({ length: 1_100 }, (_, i): Fact => ({
      kind: 'hold',
      at: i,
      scope: { kind: 'host', host: web1 },
      by: 'ada',
      reason: `${i}`,
      until: undefined,
    }));
    const { acts } = remembering(observed(1, 'A'), ...holds);
    expect(acts).toHaveLength(1_000);
    expect(acts.at(-1)).toMatchObject({ kind: 'hold', reason: '1099' });
  });

  it('says whether a hold still holds', () => {
    const hold: Fact = {
      kind: 'hold',
      at: 0,
      scope: { kind: 'host', host: web1 },
      by: 'ada',
      reason: 'x',
      until: 1_000,
    };
    const memory = remembering(hold);
    const member = { name: web1, groups: ['routers'] };
    expect(holdAt(memory, member, 999)?.by).toBe('ada');
    expect(holdAt(memory, member, 1_000)).toBeUndefined();
    expect(holdAt(remembering(), member, 0)).toBeUndefined();
  });

  it('holds the members of a group, or every host, until that hold is lifted', () => {
    const member = { name: web1, groups: ['routers'] };
    const other = { name: host('web2'), groups: [] };
    const hold = (scope: Scope): Fact => ({
      kind: 'hold',
      at: 0,
      scope,
      by: 'ada',
      reason: 'x',
      until: undefined,
    });
    const routers: Scope = { kind: 'group', group: 'routers' };
    const grouped = remembering(hold(routers));
    expect(holdAt(grouped, member, 1)?.scope).toEqual(routers);
    expect(holdAt(grouped, other, 1)).toBeUndefined();
    const all = remembering(hold(routers), hold({ kind: 'fleet' }), {
      kind: 'hold-lifted',
      at: 1,
      scope: routers,
      by: 'ada',
    });
    expect(holdAt(all, member, 2)?.scope).toEqual({ kind: 'fleet' });
    expect(holdAt(all, other, 2)?.scope).toEqual({ kind: 'fleet' });
  });

  it('finds an observation by its number', () => {
    const memory = remembering(observed(1, 'A'), observed(2, 'B'));
    expect(observationOf(memory, 2)?.n).toBe(2);
    expect(observationOf(memory, 3)).toBeUndefined();
  });
});

it('an override is replaced by the next one of its scope, a shorter one too, and by none of another', () => {
  const said = { kind: 'override', at: 1, by: 'ada', reason: 'CVE' } as const;
  const fleet: Fact = { ...said, scope: { kind: 'fleet' }, until: 9_000 };
  const one: Fact = { ...said, scope: { kind: 'host', host: host('web1') }, until: 8_000 };
  const shorter: Fact = { ...fleet, at: 2, until: 100 };
  expect(remembering(fleet, one, shorter).overrides).toEqual([one, shorter]);
});
