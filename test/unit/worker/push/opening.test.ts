import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { FleetError } from '../../../../shared/domain/errors.ts';
import { parseDeploymentId, parseHostName } from '../../../../shared/domain/names.ts';
import type { PushRequest } from '../../../../worker/push/push.ts';
import { createPusher, type PusherDeps } from '../../../../worker/push/pusher.ts';
import type { Session } from '../../../../worker/ssh/session.ts';
import { recordingContext } from '../../../support/nix-workshop.ts';
import { infoOf, pathOf } from './path-infos.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const away = new FleetError({ code: 'HOST_UNREACHABLE', disposition: 'transient', message: 'it is down' });
/** Its commands cannot be started. */
const there: Session = {
  connection: { address: 'web1', port: 22, user: 'root', hostKeys: [] },
  exec: () => Promise.reject(away),
  start: () => Promise.reject(away),
  roundTripMs: () => 1,
  isOpen: () => true,
  close: () => {},
};

const unasked: Pick<PusherDeps, 'source' | 'archives' | 'sign'> = {
  // oxlint-disable-next-line require-yield -- it is never asked
  source: { async *read() {} },
  // oxlint-disable-next-line require-yield -- nor is this
  archives: { has: () => false, async *pieces() {} },
  sign: () => [],
};

const request: PushRequest = {
  host: parseHostName('web1'),
  deployment: parseDeploymentId('d000001'),
  connection: there.connection,
  paths: new Map([['toplevel', pathOf(1)]]),
  deadlineMs: 60_000,
};

/** Pushes to a host that answers after a second, in this way. Gives how many paths were compressed for it. */
function pushes() {
  let compressed = 0;
  let answer: () => Promise<Session> = () => Promise.reject(away);
  const archives: PusherDeps['archives'] = {
    has: () => false,
    // oxlint-disable-next-line require-yield -- nobody reads them
    async *pieces() {
      compressed += 1;
    },
  };
  const { push } = createPusher({
    ...unasked,
    ssh: {
      async pooled() {
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        return answer();
      },
    },
    store: { closure: async () => [infoOf(1), infoOf(2)] },
    archives,
  });
  return async (how: typeof answer): Promise<number> => {
    compressed = 0;
    answer = how;
    const failed = push(request, recordingContext()).catch((thrown: unknown) => thrown);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(await failed).toBe(away);
    return compressed;
  };
}

test('while a connection is made archives are made, but not for a host that could not be reached the last time', async () => {
  const push = pushes();
  expect(await push(() => Promise.reject(away))).toBe(2);
  expect(await push(() => Promise.reject(away))).toBe(0);
  // It is back, and known to be at the next push.
  expect(await push(() => Promise.resolve(there))).toBe(0);
  expect(await push(() => Promise.resolve(there))).toBe(2);
});

test('the connection is made while the worker’s store is asked', async () => {
  const began: string[] = [];
  const { push } = createPusher({
    ...unasked,
    ssh: {
      async pooled() {
        began.push('connection');
        return there;
      },
    },
    store: {
      closure() {
        began.push('closure');
        return new Promise(() => {});
      },
    },
  });
  void push(request, recordingContext());
  expect(began).toEqual(['connection', 'closure']);
});

test('a connection that is made for a closure that the worker does not have is given back', async () => {
  const broken = new Error('no such path');
  const close = vi.fn<() => void>();
  let open = (_session: Session): void => {};
  const { push } = createPusher({
    ...unasked,
    ssh: { pooled: () => new Promise((resolve) => (open = resolve)) },
    store: { closure: () => Promise.reject(broken) },
  });
  await expect(push(request, recordingContext())).rejects.toBe(broken);
  open({ ...there, close });
  await vi.waitFor(() => expect(close).toHaveBeenCalledOnce());
});

test('a host that is away and a closure that is not there are one error, and nothing is left unheard', async () => {
  const { push } = createPusher({
    ...unasked,
    ssh: { pooled: () => Promise.reject(away) },
    store: { closure: () => Promise.reject(new Error('no such path')) },
  });
  await expect(push(request, recordingContext())).rejects.toThrow('no such path');
});
