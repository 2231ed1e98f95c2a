import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Deployment } from '../../../shared/domain/deployment.ts';
import { type Disposition, type ErrorCode, FleetError } from '../../../shared/domain/errors.ts';
import { createDeliver, type DeliverDeps } from '../../../worker/deliver/deliver.ts';
import type { PushRequest } from '../../../worker/push/push.ts';
import { recordingContext } from '../../support/nix-workshop.ts';
import { type DeliverStage, startDeliverStage } from '../../support/deliver-stage.ts';

let stage: DeliverStage;
beforeAll(async () => {
  stage = await startDeliverStage();
});
afterAll(() => stage?.close());

describe('a host that is to fetch what its own substituters have', () => {
  const requestsOf = async (deployment: Deployment, fail: FleetError | undefined) => {
    const requests: PushRequest[] = [];
    const context = recordingContext();
    const step = createDeliver({
      ...stage.deps,
      push: {
        push: async (push) => {
          requests.push(push);
          if (fail !== undefined && push.substitute === true) throw fail;
          return { paths: 0, bytes: 0, closure: [] };
        },
      },
    });
    return {
      outcome: await step(deployment, context),
      asked: requests.map(({ substitute }) => substitute),
      context,
    };
  };
  const failure = (code: ErrorCode, disposition: Disposition = 'transient') =>
    new FleetError({ code, disposition, message: 'it said nothing' });
  const substitute: Partial<Deployment> = { transport: { by: 'push', substitute: true } };

  test('is asked to do so', async () => {
    const deployment = { ...(await stage.released({}))('web1'), ...substitute };
    expect((await requestsOf(deployment, undefined)).asked).toEqual([true]);
  });

  test.each<ErrorCode>(['HOST_UNREACHABLE', 'PUSH_FAILED'])(
    'is sent all of it where asking came to nothing (%s): its substituters may hold it up',
    async (code) => {
      const deployment = { ...(await stage.released({}))('web1'), ...substitute };
      const { asked, outcome, context } = await requestsOf(deployment, failure(code));
      expect(asked).toEqual([true, undefined]);
      expect(outcome.kind).toBe('delivered');
      expect(context.lines.join('\n')).toMatch(/it said nothing; once more, without its substituters/);
    },
  );

  test.each([failure('DISK_FULL'), failure('PUSH_FAILED', 'stalled')])(
    'is not pushed to again where it is something else that fails: $code',
    async (fail) => {
      const deployment = { ...(await stage.released({}))('web1'), ...substitute };
      const { asked, outcome } = await requestsOf(deployment, fail);
      expect(asked).toEqual([true]);
      expect(outcome).toMatchObject({ kind: 'failed', failure: { code: fail.code } });
    },
  );
});

describe('a host that is to fetch what workers publish', () => {
  const viaCache: Partial<Deployment> = { transport: { by: 'cache', substitute: true } };
  const run = async (publish: DeliverDeps['publish'], signal: AbortSignal = new AbortController().signal) => {
    const deployment = { ...(await stage.released({}))('web1'), ...viaCache };
    const order: string[] = [];
    const context = recordingContext(signal);
    const step = createDeliver({
      ...stage.deps,
      publish:
        publish &&
        (async (paths, inner) => {
          order.push(`publish ${paths.join(' ')}`);
          await publish(paths, inner);
        }),
      push: {
        push: async ({ paths, substitute: asks }) => {
          order.push(`push ${[...paths.values()].join(' ')} ${asks === true ? 'after asking' : ''}`);
          return { paths: 0, bytes: 0, closure: [] };
        },
      },
    });
    const outcome = step(deployment, context);
    return { outcome, order, context, all: `${deployment.toplevel} ${stage.deps.guard.path}` };
  };

  test('is asked when all is there, guard included', async () => {
    const { outcome, order, all } = await run(async () => {});
    expect((await outcome).kind).toBe('delivered');
    expect(order).toEqual([`publish ${all}`, `push ${all} after asking`]);
  });

  test.each([
    ['cannot be published', 'the cache is full', () => Promise.reject(failed('the cache is full'))],
    ['has nowhere to go', 'no cache to publish to', undefined],
  ])('is sent what %s, and the log says why', async (_, why, publish) => {
    const { outcome, order, context, all } = await run(publish);
    expect((await outcome).kind).toBe('delivered');
    expect(order.at(-1)).toBe(`push ${all} after asking`);
    expect(context.lines.join('\n')).toContain(why);
  });

  test('is sent nothing after it was given up', async () => {
    const leave = new AbortController();
    const { outcome, order } = await run(async () => {
      leave.abort();
      throw failed('given up', 'CANCELLED');
    }, leave.signal);
    await expect(outcome).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(order).toHaveLength(1);
  });

  const failed = (message: string, code: ErrorCode = 'PUSH_FAILED') =>
    new FleetError({ code, disposition: 'transient', message });
});
