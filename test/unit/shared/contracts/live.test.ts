import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Release } from '../../../../shared/contracts/domain.ts';
import { Job } from '../../../../shared/contracts/jobs.ts';
import {
  Deployment,
  EvaluationOutcome,
  EvaluationRequest,
  HostContact,
  ProbeTarget,
} from '../../../../shared/contracts/live.ts';
import {
  aDeployment,
  aRelease,
  aRequest,
  aTarget,
  drvPath,
  failure,
  reached,
  toplevel,
  tree,
  unreachable,
  web1,
} from '../../../contract/samples.ts';
import { aCheck } from '../../../support/builders.ts';

function throughJson<Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>): z.output<Schema> {
  return schema.parse(JSON.parse(JSON.stringify(z.encode(schema, value))));
}

describe('the live state as JSON', () => {
  test('a deployment comes back as it was', () => {
    expect(throughJson(Deployment, aDeployment())).toEqual(aDeployment());
    const whole = aDeployment({
      failure,
      previous: toplevel,
      delivery: { builds: 0, pushedPaths: 0, pushedBytes: 0, durationMs: 0.5 },
    });
    expect(throughJson(Deployment, whole)).toEqual(whole);
    const reboot = aDeployment({
      action: 'reboot',
      reboot: {
        deadlineMs: 1_000,
        drain: { kind: 'worker-command', name: 'drain', timeoutMs: 1 },
        undrain: { kind: 'command', command: ['undrain', '--now'], timeoutMs: 1 },
      },
    });
    expect(throughJson(Deployment, reboot)).toEqual(reboot);
  });

  test('a deployment of an older version is one that is pushed', () => {
    const { transport: _, ...older } = aDeployment();
    expect(Deployment.parse(JSON.parse(JSON.stringify(older)))).toEqual(aDeployment());
    const fetched = aDeployment({ transport: { by: 'cache', substitute: true } });
    expect(throughJson(Deployment, fetched)).toEqual(fetched);
  });

  test('contacts and targets come back as they were', () => {
    const well = reached(web1, 'life', 10);
    const asked = (problem?: string) => ({ ...well, readiness: { problem } });
    for (const contact of [well, asked(), asked('quarantined'), unreachable(web1, 'life', 10)]) {
      expect(throughJson(HostContact, contact)).toEqual(contact);
    }
    const ready = [aCheck({ kind: 'worker', name: 'quarantined' }, { before: true })];
    for (const target of [aTarget(web1, 1), { ...aTarget(web1, 1), ready }]) {
      expect(throughJson(ProbeTarget, target)).toEqual(target);
    }
  });

  test('evaluations come back as they were, maps and all', () => {
    expect(throughJson(EvaluationRequest, aRequest('k'))).toEqual(aRequest('k'));
    expect(throughJson(EvaluationRequest, { ...aRequest('k'), hosts: 'all' }).hosts).toBe('all');
    expect(throughJson(EvaluationOutcome, aRelease('k'))).toEqual(aRelease('k'));
  });

  test('a map is an object whose keys are names', () => {
    const json = { key: 'k', tree, hosts: { web1: { drvPath, toplevel } } };
    expect(Release.parse(json).hosts.get(web1)?.toplevel).toBe(toplevel);
    expect(Release.safeParse({ ...json, hosts: { '--option': { drvPath, toplevel } } }).success).toBe(false);
    expect(Release.parse({ ...json, hosts: JSON.parse('{"__proto__":{}}') }).hosts.size).toBe(0);
  });

  test.each([
    ['host', '../etc'],
    ['host', 'Web1'],
    ['toplevel', '/etc/passwd'],
    ['toplevel', `${toplevel}/bin`],
    ['drvPath', toplevel],
    ['revision', 'main'],
    ['id', '--help'],
    ['phase', 'asleep'],
    ['version', -1],
    ['version', 1.5],
    ['known', [{ address: 'x', port: 70_000, user: 'root', hostKeys: [] }]],
  ])('a deployment with %s = %j is refused', (field, value) => {
    const json = { ...JSON.parse(JSON.stringify(aDeployment())), [field]: value };
    const result = Deployment.safeParse(json);
    expect(result.success).toBe(false);
    expect(result.error?.issues[0]?.path[0]).toBe(field);
  });

  test('jobs carry keys, and names in them are parsed', () => {
    const job = { step: 'activate', deployment: 'd000001', host: 'web1', epoch: 1, n: 2 };
    expect(Job.parse(job)).toEqual(job);
    expect(Job.safeParse({ ...job, deployment: '../x' }).success).toBe(false);
    expect(Job.safeParse({ ...job, step: 'reboot' }).success).toBe(false);
  });

  test('what is written can be described to others as a JSON schema', () => {
    expect(z.toJSONSchema(Deployment, { io: 'input' })).toMatchObject({
      type: 'object',
      properties: { host: { type: 'string' } },
    });
  });
});
