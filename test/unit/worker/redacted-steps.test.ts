import { describe, expect, it } from 'vitest';

import type { Failure } from '../../../shared/domain/errors.ts';
import { parseDeploymentId, parseHostName, parseStorePath, parseTree } from '../../../shared/domain/names.ts';
import type { StepContext, Steps } from '../../../shared/platform/ports/steps.ts';
import { createRedactor } from '../../../shared/platform/redact.ts';
import { redactedSteps } from '../../../worker/redacted-steps.ts';
import { aDeployment, aReport } from '../../support/builders.ts';

const secret = 'hunter2-hunter2';
const failure: Failure = {
  code: 'BUILD_FAILED',
  disposition: 'stalled',
  message: `unable to download 'https://cache:${secret}@cache.example/x.narinfo'`,
  hint: `is ${secret} right?`,
  details: { log: `curl: ${secret}` },
};
const context: StepContext = { signal: new AbortController().signal, log: () => {}, progress: () => {} };
const told: unknown[] = [];

const steps: Steps = {
  evaluate: async () => ({ kind: 'failed', failure, durationMs: 1 }),
  deliver: async () => ({ kind: 'failed', failure }),
  async activate(_deployment, _context, onEvent) {
    await onEvent({ kind: 'roll-back-started', failure });
    return { kind: 'ended', end: { kind: 'rolled-back', failure, evidence: true }, previous: undefined };
  },
  probe: async (target, incarnation) => ({
    kind: 'reached',
    host: target.host,
    incarnation,
    askedAt: 1,
    at: 2,
    connection: { address: 'web1', port: 22, user: 'root', hostKeys: [] },
    report: aReport({
      records: [
        {
          deployment: parseDeploymentId('d000001'),
          token: { epoch: 1, counter: 1 },
          toplevel: parseStorePath(`/nix/store/${'a'.repeat(32)}-system`),
          previous: undefined,
          bootId: 'b',
          end: { kind: 'stuck', failure },
        },
      ],
    }),
    checks: [{ name: `https://web1/?key=${secret}`, healthy: false, message: secret, intervalMs: 1 }],
    readiness: { problem: secret },
  }),
};

describe('steps whose failures are kept', () => {
  it('tell no secret, whichever step failed and wherever the text has it', async () => {
    const redacted = redactedSteps(steps, createRedactor([secret]));
    const deployment = aDeployment({});
    const host = parseHostName('web1');
    const request = {
      key: 'k',
      tree: parseTree('1'.repeat(40)),
      folder: '.',
      attribute: 'a',
      hosts: 'all' as const,
    };
    const target = {
      host,
      askedAt: 1,
      connections: [],
      ask: [],
      acknowledged: [],
      fence: undefined,
      adopt: undefined,
      checks: [],
      retain: undefined,
      tidy: undefined,
      expected: undefined,
    };
    const outcomes = [
      await redacted.evaluate(request, context),
      await redacted.deliver(deployment, context),
      await redacted.activate(deployment, context, async (event) => void told.push(event)),
      await redacted.probe(target, 'i', context),
      ...told,
    ];
    expect(outcomes).toHaveLength(5);
    for (const outcome of outcomes) {
      expect(JSON.stringify(outcome)).not.toContain(secret);
      expect(JSON.stringify(outcome)).toContain('[redacted]');
    }
  });
});
