import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { phases, terminalPhases, type Phase } from '../../../../shared/domain/deployment.ts';
import type { StorePath } from '../../../../shared/domain/names.ts';
import {
  accepts,
  leadsTo,
  transition,
  type DeploymentEvent,
  type EventKind,
} from '../../../../shared/domain/transition.ts';
import { aDeployment, aFailure, toplevel } from '../../../support/builders.ts';

const failure = aFailure();
const ends = [
  { kind: 'succeeded' },
  { kind: 'awaiting-reboot' },
  { kind: 'failed', failure },
  { kind: 'rolled-back', failure, evidence: true },
  { kind: 'rolled-back', failure, evidence: false },
  { kind: 'stuck', failure },
] as const;

const examples: Readonly<Record<EventKind, readonly DeploymentEvent[]>> = {
  supersede: [{ kind: 'supersede', by: 'a newer one' }],
  cancel: [{ kind: 'cancel', why: failure }],
  'deliver-started': [{ kind: 'deliver-started' }],
  delivered: [{ kind: 'delivered', delivery: { builds: 0, pushedPaths: 0, pushedBytes: 0, durationMs: 1 } }],
  'deliver-failed': [{ kind: 'deliver-failed', failure }],
  'activate-started': [{ kind: 'activate-started' }],
  switched: [{ kind: 'switched', previous: toplevel('A') }],
  'roll-back-started': [{ kind: 'roll-back-started', failure }],
  ended: ends.map((end) => ({ kind: 'ended' as const, end, previous: toplevel('A') })),
  lost: ends.map((end) => ({ kind: 'lost' as const, end })),
};
const kinds = [
  'supersede',
  'cancel',
  'deliver-started',
  'delivered',
  'deliver-failed',
  'activate-started',
  'switched',
  'roll-back-started',
  'ended',
  'lost',
] as const satisfies readonly EventKind[];

describe('transition', () => {
  const table = phases.flatMap((phase) => kinds.map((kind) => ({ phase, kind })));

  it.each(table)('in $phase does with $kind what the table says', ({ phase, kind }) => {
    for (const event of examples[kind]) {
      const result = transition(aDeployment({ phase }), event, 5);
      if (accepts[kind].includes(phase)) {
        expect(result.kind).toBe('moved');
        if (result.kind === 'moved') expect(leadsTo[kind]).toContain(result.deployment.phase);
      } else {
        expect(result.kind).toBe('refused');
      }
    }
  });

  it('lets nothing leave a terminal phase', () => {
    for (const phase of terminalPhases) {
      for (const kind of kinds) expect(accepts[kind]).not.toContain(phase);
    }
  });

  it('supersedes and cancels only before the activation', () => {
    const before: readonly Phase[] = ['pending', 'delivering', 'delivered'];
    expect(accepts.supersede).toEqual(before);
    expect(accepts.cancel).toEqual(before);
  });

  it('calls a roll back without evidence unconfirmed', () => {
    const result = transition(
      aDeployment({ phase: 'confirming' }),
      { kind: 'ended', end: { kind: 'rolled-back', failure, evidence: false }, previous: undefined },
      1,
    );
    expect(result).toMatchObject({ kind: 'moved', deployment: { phase: 'unconfirmed', evidence: false } });
  });

  it('takes what ran before from the host, which knows it better than who planned it', () => {
    const before = aDeployment({ phase: 'activating', previous: toplevel('S') });
    const end = (previous: StorePath | undefined) =>
      transition(before, { kind: 'ended', end: { kind: 'awaiting-reboot' }, previous }, 1);
    expect(end(toplevel('A'))).toMatchObject({ deployment: { previous: toplevel('A') } });
    expect(end(undefined)).toMatchObject({ deployment: { previous: toplevel('S') } });
  });

  it('holds only failures against a toplevel that the toplevel would meet again', () => {
    const end = (code: 'ACTIVATION_REFUSED' | 'TOKEN_REFUSED') =>
      transition(
        aDeployment({ phase: 'activating' }),
        { kind: 'ended', end: { kind: 'failed', failure: aFailure({ code }) }, previous: undefined },
        1,
      );
    expect(end('ACTIVATION_REFUSED')).toMatchObject({ deployment: { evidence: true } });
    expect(end('TOKEN_REFUSED')).toMatchObject({ deployment: { evidence: false } });
  });

  it('raises the version with every move and never rewrites when a phase was entered first', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...kinds), { maxLength: 12 }), (sequence) => {
        let deployment = aDeployment();
        let at = 0;
        for (const kind of sequence) {
          const event = examples[kind][0];
          if (event === undefined) continue;
          at += 1;
          const result = transition(deployment, event, at);
          if (result.kind === 'refused') continue;
          expect(result.deployment.version).toBe(deployment.version + 1);
          for (const [phase, first] of Object.entries(deployment.timeline)) {
            expect(result.deployment.timeline).toHaveProperty(phase, first);
          }
          deployment = result.deployment;
        }
      }),
    );
  });
});
