import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { parseDeploymentId, parseHostName } from '../../../../shared/domain/names.ts';
import { WireError } from '../../../../worker/nix/protocol/wire.ts';
import { explained } from '../../../../worker/push/explain.ts';
import type { PushRequest } from '../../../../worker/push/push.ts';
import type { ChannelEnd } from '../../../../worker/ssh/channel.ts';
import { fakeChannel } from './fake-channel.ts';
import { pathOf } from './path-infos.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const request: PushRequest = {
  host: parseHostName('web1'),
  deployment: parseDeploymentId('d000001'),
  connection: { address: 'web1', port: 22, user: 'root', hostKeys: [] },
  paths: new Map([['toplevel', pathOf(1)]]),
  deadlineMs: 10_000,
};
const nonsense = new WireError('it says something unknown');

test('what ends only once all is read that it says is read to its end, and its reason is told', async () => {
  let end = (_: ChannelEnd): void => {};
  const ended = new Promise<ChannelEnd>((resolve) => {
    end = resolve;
  });
  async function* output(): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 1_000; n += 1) yield Buffer.alloc(10);
    end({ kind: 'exited', code: 1, signal: undefined });
  }
  const channel = fakeChannel(output(), { ended, complaint: 'no space left on device\n' });
  expect(await explained(nonsense, channel, request, { free: 5, needed: 9 })).toMatchObject({
    code: 'DISK_FULL',
    details: { freeBytes: '5', neededBytes: '9' },
  });
});

test('what never ends is not waited for, and is no lost connection', async () => {
  async function* output(): AsyncGenerator<Uint8Array> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      yield Buffer.alloc(10);
    }
  }
  const why = explained(nonsense, fakeChannel(output()), request);
  await vi.advanceTimersByTimeAsync(3_100);
  expect(await why).toMatchObject({
    code: 'PUSH_FAILED',
    message: expect.stringContaining('it says something unknown'),
  });
});
