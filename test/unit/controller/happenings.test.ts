import { describe, expect, it } from 'vitest';
import { createTeller } from '../../../controller/happenings.ts';
import type { FleetHappening } from '../../../shared/contracts/api-events.ts';
import { observed, remembering } from '../../support/builders.ts';

describe('what people are told', () => {
  it('names a force push NonFastForward, with the revision that it left behind', () => {
    const before = observed(1, 'A');
    const after = observed(2, 'B', { forced: true });
    const told: FleetHappening[] = [];
    const tell = createTeller({
      publish: (happening) => void told.push(happening),
      reign: () => ({
        term: { epoch: 1, incarnation: 'x' },
        memory: remembering(before, after),
        source: { kind: 'unseen' },
        last: undefined,
        passFailure: undefined,
      }),
    });
    tell({ kind: 'facts', facts: [before, after] });
    const from = before.kind === 'observation' ? before.observation.revision : undefined;
    expect(told).toMatchObject([
      { kind: 'observation', n: 1 },
      { kind: 'observation', n: 2, reason: 'NonFastForward', from },
    ]);
    expect(told[0]).not.toHaveProperty('reason');
  });
});
