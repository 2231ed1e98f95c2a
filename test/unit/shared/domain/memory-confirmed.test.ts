import { describe, expect, it } from 'vitest';
import { candidateConnections } from '../../../../controller/reconcile/plan/aim.ts';
import type { Action, Phase } from '../../../../shared/domain/deployment.ts';
import type { Fact } from '../../../../shared/domain/facts.ts';
import type { Mode } from '../../../../shared/domain/fleet.ts';
import type { HostMemory } from '../../../../shared/domain/memory.ts';
import { parseDeploymentId } from '../../../../shared/domain/names.ts';
import {
  aDeployment,
  adopted,
  aFailure,
  anOutcome,
  aSpec,
  connection,
  drv,
  host,
  remembering,
  toplevel,
} from '../../../support/builders.ts';

let made = 0;

interface Step {
  readonly mode?: Mode;
  readonly action?: Action;
  readonly phase?: Phase;
  /** What ran there before. */
  readonly over?: string;
  readonly port?: number;
}

/** A deployment of a letter that ended. */
function step(
  letter: string,
  { mode = 'switch', action = 'activate', phase = 'succeeded', over, port = 22 }: Step = {},
): Fact {
  made += 1;
  const deployment = aDeployment({
    id: parseDeploymentId(`d${`${made}`.padStart(6, '0')}`),
    toplevel: toplevel(letter),
    drvPath: drv(letter),
    mode,
    action,
    next: { ...connection, port },
  });
  const failure = phase === 'succeeded' || phase === 'awaiting-reboot' ? undefined : aFailure();
  return anOutcome(deployment, {
    at: made,
    phase,
    failure,
    previous: over === undefined ? undefined : toplevel(over),
  });
}

const awaiting = (over: string): Step => ({ phase: 'awaiting-reboot', over });
const inVain = (over: string): Step => ({ action: 'reboot', phase: 'unconfirmed', over });

/** A host that ran O when it was adopted. */
function after(...facts: readonly Fact[]): HostMemory {
  const memory = remembering(adopted('web1', toplevel('O')), ...facts).hosts.get(host('web1'));
  if (memory === undefined) throw new Error('nothing is known of it');
  return memory;
}

describe('what a host is to return to', () => {
  const before = (...facts: readonly Fact[]) => after(...facts).before?.toplevel;

  it('is what was confirmed before', () => {
    expect(before(step('A'), step('B'))).toBe(toplevel('A'));
    expect(before(step('A'), step('B'), step('B'))).toBe(toplevel('A'));
  });

  it('is never what was only tested, once something else is there for good', () => {
    const tests = [step('T', { mode: 'test' }), step('U', { mode: 'test' })];
    expect(before(step('A'), step('B'), ...tests, step('B'))).toBe(toplevel('A'));
    expect(before(step('A'), step('B'), ...tests, step('C'))).toBe(toplevel('B'));
    expect(before(step('A'), step('B'), ...tests, step('U', { action: 'finalise' }))).toBe(toplevel('B'));
  });

  it('is what ran before, while something is tested', () => {
    expect(before(step('A'), step('T', { mode: 'test' }))).toBe(toplevel('A'));
    expect(before(step('A'), step('T', { mode: 'test' }), step('U', { mode: 'test' }))).toBe(toplevel('T'));
  });

  it('is never what was set for a boot that did not come', () => {
    expect(before(step('A'), step('B', awaiting('A')), step('C', awaiting('A')))).toBe(toplevel('A'));
    expect(before(step('A'), step('B', awaiting('A')), step('C', { over: 'A' }))).toBe(toplevel('A'));
    expect(before(step('A'), step('B', awaiting('A')), step('C', awaiting('B')))).toBe(toplevel('B'));
  });

  it('is not lost under a test, nor the system that the test is over', () => {
    const { lasting } = after(step('A'), step('B'), step('T', { mode: 'test' }), step('U', { mode: 'test' }));
    expect([lasting?.confirmed?.toplevel, lasting?.before?.toplevel]).toEqual([toplevel('B'), toplevel('A')]);
  });

  it('is what ran before the system that a reboot in vain brought back', () => {
    const { confirmed, before: then } = after(
      step('A'),
      step('B'),
      step('C', awaiting('B')),
      step('C', inVain('B')),
    );
    expect([confirmed?.toplevel, then?.toplevel]).toEqual([toplevel('B'), toplevel('A')]);
    const first = after(step('A'), step('B', awaiting('A')), step('B', inVain('A')));
    expect([first.confirmed?.toplevel, first.before?.toplevel]).toEqual([toplevel('A'), toplevel('O')]);
  });
});

describe('a host that was rebooted in vain', () => {
  it('is confirmed on what it was booted with, as that was, whatever ran between', () => {
    const { confirmed } = after(step('A', { port: 23 }), step('S'), step('B'), step('B', inVain('A')));
    expect(confirmed).toMatchObject({
      toplevel: toplevel('A'),
      drvPath: drv('A'),
      mode: 'switch',
      connection: { port: 23 },
      awaitingReboot: false,
    });
  });

  it('is confirmed on generation 0 where it came back as that, and is not judged by what somebody else had brought', () => {
    expect(after(step('A'), step('A', inVain('O'))).confirmed).toMatchObject({
      observation: 0,
      mode: undefined,
    });
    expect(after(step('A'), step('A', inVain('X'))).confirmed).toMatchObject({
      toplevel: toplevel('X'),
      drvPath: undefined,
      mode: undefined,
    });
  });

  it('is known to have been, also when it was activated again since, and until another reboot worked', () => {
    const once = [step('A'), step('B', { over: 'A' }), step('B', inVain('A'))];
    expect(after(...once).setback).toMatchObject({ unconfirmed: 1, action: 'reboot' });
    const again = [...once, step('B', { over: 'A' })];
    expect(after(...again).setback).toMatchObject({ unconfirmed: 1 });
    expect(after(...again, step('B', inVain('A'))).setback).toMatchObject({ unconfirmed: 2 });
    expect(after(...again, step('B', { action: 'reboot' })).setback).toBeUndefined();
  });
});

describe('how a host that does not answer is looked for', () => {
  it('is also as it answered with anything that was confirmed there, the newest first', () => {
    const tests = ['T', 'U'].map((letter) => step(letter, { mode: 'test', port: 24 }));
    const memory = after(step('A', { port: 23 }), ...tests);
    const spec = aSpec('web1', { connection: { ...connection, port: 25 } });
    expect(candidateConnections(memory, undefined, spec).map(({ port }) => port)).toEqual([24, 25, 22, 23]);
  });

  it('is not in every way of all times', () => {
    const ports = Array.from({ length: 20 }, (_, i) => 100 + i);
    const memory = after(...ports.map((port, i) => step(i % 2 === 0 ? 'A' : 'B', { port })));
    expect(memory.answered.map(({ port }) => port)).toEqual([119, 118, 117, 116, 115, 114]);
  });
});

describe('how often a host had to be brought back', () => {
  it('counts no test that a reboot has undone, and what was made lasting again', () => {
    const test = step('T', { mode: 'test' });
    const again = step('T', { mode: 'test' });
    expect(after(step('A'), test, again).heals).toBeUndefined();
    expect(after(step('A'), test, step('T', { action: 'finalise' })).heals).toBeUndefined();
    expect(after(step('A'), step('A', { action: 'finalise' })).heals).toMatchObject({ count: 1 });
  });
});
