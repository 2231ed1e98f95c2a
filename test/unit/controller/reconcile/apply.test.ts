import { describe, expect, it } from 'vitest';
import { intentsOf } from '../../../../controller/reconcile/apply.ts';
import type { Action } from '../../../../shared/domain/deployment.ts';
import type { Verdict } from '../../../../shared/domain/verdict.ts';
import {
  aDeployment,
  aFleet,
  aSpec,
  host,
  observed,
  released,
  remembering,
  toplevel,
  wanting,
} from '../../../support/builders.ts';

const web1 = host('web1');

describe('what the ledger has before an activation is queued', () => {
  const kinds = (action: Action): readonly string[] => {
    const deployment = aDeployment({ action, phase: 'delivered', toplevel: toplevel('A') });
    const verdict: Verdict = {
      host: web1,
      kind: 'activate',
      reason: 'delivered',
      waitsFor: undefined,
      until: undefined,
      toplevel: deployment.toplevel,
      deployment: deployment.id,
      code: undefined,
    };
    const facts = intentsOf({
      verdicts: [verdict],
      snapshot: { pending: new Set(), deployments: [deployment], contacts: new Map(), evaluations: [] },
      memory: remembering(observed(1, 'A'), released('A', { web1: 'A' })),
      desired: wanting(1, 'A', aFleet([aSpec('web1')]), { web1: 'A' }),
      now: 5_000,
    });
    return facts.map(({ kind }) => kind);
  };

  it('is its intent, and with the first one of a release that its rollout begins', () => {
    expect(kinds('activate')).toEqual(['rollout', 'intent']);
  });

  it('is the intent alone for a reboot, which brings no release', () => {
    expect(kinds('reboot')).toEqual(['intent']);
  });
});
