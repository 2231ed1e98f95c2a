import { describe, expect, it } from 'vitest';
import { settle } from '../../../../../controller/reconcile/plan/settle.ts';
import { intentOf } from '../../../../../controller/reconcile/plan/aim.ts';
import type { HostRecord, ProbeReport } from '../../../../../shared/domain/contact.ts';
import type { Deployment } from '../../../../../shared/domain/deployment.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import type { EvaluationState } from '../../../../../shared/platform/ports/deployment-store.ts';
import {
  aDeployment,
  adopted,
  aFailure,
  anOutcome,
  aRelease,
  host,
  owner,
  reached,
  releaseKey,
  remembering,
  running,
  toplevel,
} from '../../../../support/builders.ts';

const A = toplevel('A');
const deployment = aDeployment({ token: { epoch: 1, counter: 5 } });

function settled(given: {
  readonly facts?: readonly Fact[];
  readonly deployments?: readonly Deployment[];
  readonly report?: Partial<ProbeReport>;
  readonly evaluations?: readonly EvaluationState[];
}) {
  const contact = reached('web1', running(A, given.report ?? {}), 100);
  return settle({
    memory: remembering(adopted('web1', A), ...(given.facts ?? [])),
    deployments: given.deployments ?? [],
    contacts: new Map([[contact.host, contact]]),
    evaluations: given.evaluations ?? [],
    now: 200,
  });
}

const intent = intentOf(deployment, 50);

function record(change: Partial<HostRecord>): HostRecord {
  return {
    deployment: deployment.id,
    token: deployment.token,
    toplevel: deployment.toplevel,
    previous: A,
    bootId: 'boot-1',
    end: undefined,
    ...change,
  };
}

describe('settle', () => {
  it('writes the outcome of a terminal deployment once, and lets the store drop it', () => {
    const done = { ...deployment, phase: 'succeeded' as const };
    const first = settled({ facts: [intent], deployments: [done] });
    expect(first.facts).toMatchObject([{ kind: 'outcome', phase: 'succeeded', at: 200 }]);
    expect(first.finished).toEqual([done]);
    const again = settled({ facts: [intent, anOutcome(deployment)], deployments: [done] });
    expect(again.facts).toEqual([]);
    expect(again.finished).toEqual([done]);
  });

  it('takes the outcome of a deployment that the store lost from the host’s own record', () => {
    const failure = aFailure();
    const end = { kind: 'rolled-back', failure, evidence: true } as const;
    const { facts } = settled({ facts: [intent], report: { records: [record({ end })] } });
    expect(facts).toMatchObject([{ kind: 'outcome', phase: 'rolled-back', evidence: true, previous: A }]);
  });

  it('asks the host, and not a store that was set back, how a deployment ended that was let through already', () => {
    const failure = aFailure({ code: 'HOST_UNREACHABLE', disposition: 'transient' });
    const failed = { ...deployment, phase: 'failed' as const, failure, timeline: { pending: 1, failed: 2 } };
    const first = settled({ facts: [intent], deployments: [failed], report: { records: [record({})] } });
    expect([first.facts, first.finished]).toEqual([[], [failed]]);
    const end = { kind: 'succeeded' } as const;
    const { facts } = settled({
      facts: [intent],
      deployments: [failed],
      report: { records: [record({ end })] },
    });
    expect(facts).toMatchObject([{ kind: 'outcome', phase: 'succeeded' }]);
    expect(settled({ deployments: [failed] }).facts).toMatchObject([{ kind: 'outcome', phase: 'failed' }]);
  });

  it('waits for a record that has no end yet', () => {
    const { facts, fences } = settled({ facts: [intent], report: { records: [record({})] } });
    expect(facts).toEqual([]);
    expect(fences.size).toBe(0);
  });

  it('fences an activation that may never have started, and ends it only once the host cannot start it any more', () => {
    const before = settled({ facts: [intent], report: { highestToken: { epoch: 1, counter: 4 } } });
    expect(before.facts).toEqual([]);
    expect(before.fences.get(host('web1'))).toEqual(deployment.token);
    const after = settled({ facts: [intent], report: { highestToken: deployment.token } });
    expect(after.facts).toMatchObject([{ kind: 'outcome', phase: 'failed', failure: { code: 'CANCELLED' } }]);
    expect(after.fences.size).toBe(0);
  });

  it('leaves an intent alone whose deployment the store still has', () => {
    const { facts, fences } = settled({
      facts: [intent],
      deployments: [{ ...deployment, phase: 'delivered' }],
    });
    expect(facts).toEqual([]);
    expect(fences.size).toBe(0);
  });

  it('ends again what a store that was set back brought up, without a second outcome', () => {
    const { facts, revived } = settled({
      facts: [intent, anOutcome(deployment)],
      deployments: [{ ...deployment, phase: 'confirming' }],
    });
    expect(facts).toEqual([]);
    expect(revived).toMatchObject([{ event: { kind: 'lost' } }]);
  });

  it('ends an activation that its host was fenced against, and no other', () => {
    const activating = { ...deployment, phase: 'activating' as const };
    const fenced = settled({
      facts: [intent],
      deployments: [activating],
      report: { highestToken: deployment.token },
    });
    expect(fenced.revived).toMatchObject([{ deployment: activating, event: { kind: 'lost' } }]);
    const begun = { highestToken: deployment.token, records: [record({})] };
    expect(settled({ facts: [intent], deployments: [activating], report: begun }).revived).toEqual([]);
    const before = { highestToken: { epoch: 1, counter: 4 } };
    expect(settled({ facts: [intent], deployments: [activating], report: before }).revived).toEqual([]);
  });

  it('writes an adoption down once the host has the owner', () => {
    const contact = reached('web1', running(A), 100);
    const input = {
      deployments: [],
      contacts: new Map([[contact.host, contact]]),
      evaluations: [],
      now: 200,
    };
    const asked: Fact = { kind: 'adopt-asked', at: 1, host: host('web1'), by: 'ada', takeover: true };
    expect(settle({ ...input, memory: remembering(asked) }).facts).toMatchObject([
      { kind: 'adopted', by: 'ada', takeover: true, running: A },
    ]);
    const foreign = reached('web1', running(A, { owner: 'someone else' }), 100);
    const other = { ...input, contacts: new Map([[foreign.host, foreign]]) };
    expect(settle({ ...other, memory: remembering(asked) }).facts).toEqual([]);
    expect(owner).not.toBe('someone else');
  });

  it('remembers an evaluation that failed for good, and asks again for one that did not', () => {
    const release = aRelease('A', { web1: 'A' });
    const request = {
      key: releaseKey('A'),
      tree: release.tree,
      folder: '.',
      attribute: 'x',
      hosts: 'all',
    } as const;
    const failed = (disposition: 'stalled' | 'transient'): EvaluationState => ({
      request,
      outcome: {
        kind: 'failed',
        failure: aFailure({ code: 'EVALUATION_FAILED', disposition }),
        durationMs: 1,
      },
    });
    const complete: EvaluationState = { request, outcome: { kind: 'complete', release, durationMs: 1 } };
    expect(settled({ evaluations: [complete] })).toMatchObject({
      facts: [{ kind: 'release' }],
      evaluated: [request.key],
    });
    expect(settled({ evaluations: [failed('stalled')] })).toMatchObject({
      facts: [{ kind: 'evaluation-failed' }],
      evaluated: [request.key],
    });
    expect(settled({ evaluations: [failed('transient')] })).toMatchObject({
      facts: [],
      evaluated: [],
      again: [{ key: request.key }],
    });
    expect(settled({ evaluations: [{ request, outcome: undefined }] })).toMatchObject({
      facts: [],
      again: [],
    });
  });

  it('carries out an adoption that was asked for of a host that was its own before, once', () => {
    const ask = { kind: 'adopt-asked', at: 90, host: host('web1'), by: 'eve', takeover: true } as const;
    const { facts } = settled({ facts: [ask] });
    expect(facts).toMatchObject([{ kind: 'adopted', by: 'eve', takeover: true, running: A }]);
    const memory = remembering(adopted('web1', A), ask, ...facts);
    expect(memory.hosts.get(host('web1'))?.adoptAsked).toBeUndefined();
    expect(settled({ facts: [ask, ...facts] }).facts).toEqual([]);
    // What was asked for after the host was asked is not carried out yet.
    expect(settled({ facts: [{ ...ask, at: 101 }] }).facts).toEqual([]);
  });

  it('keeps what was confirmed on a host that is adopted again and still runs it, and nothing else', () => {
    const confirmed = anOutcome(deployment);
    const again = remembering(
      adopted('web1', toplevel('0')),
      confirmed,
      adopted('web1', deployment.toplevel),
    );
    expect(again.hosts.get(host('web1'))?.confirmed?.deployment).toBe(deployment.id);
    const reinstalled = remembering(
      adopted('web1', toplevel('0')),
      confirmed,
      adopted('web1', toplevel('I')),
    );
    expect(reinstalled.hosts.get(host('web1'))?.confirmed).toMatchObject({
      observation: 0,
      toplevel: toplevel('I'),
    });
  });
});
