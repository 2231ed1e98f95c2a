import { describe, expect, it } from 'vitest';
import type { Action } from '../../../../shared/domain/deployment.ts';
import type { Scope } from '../../../../shared/domain/policy.ts';
import type { Fact } from '../../../../shared/domain/facts.ts';
import { holdAt, observationOf } from '../../../../shared/domain/memory.ts';
import { parseDeploymentId } from '../../../../shared/domain/names.ts';
import {
  aDeployment,
  adopted,
  aFailure,
  anOutcome,
  connection,
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
    expect(heals(again('d0reboot', 'reboot', 2), again('d0finali', 'finalise', 3))).toBeUndefined();
    const once = again('d00again', 'activate', 4);
    expect(heals(once)).toEqual({ count: 1, at: 4 });
    expect(heals(once, again('d0reboot', 'reboot', 5))).toEqual({ count: 1, at: 4 });
    expect(heals(once, again('d00twice', 'activate', 6))).toEqual({ count: 2, at: 6 });
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
    expect(remembering(...facts).hosts.get(web1)?.stuck).toEqual(elsewhere);
    const confirmed = anOutcome({ ...next, id: parseDeploymentId('d00good1') });
    expect(remembering(...facts, confirmed).hosts.get(web1)?.stuck).toBeUndefined();
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
