import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { FleetError } from '../../../../shared/domain/errors.ts';
import { parseDeploymentId, parseHostName } from '../../../../shared/domain/names.ts';
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
    ssh: {
      async pooled() {
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        return answer();
      },
    },
    store: { closure: async () => [infoOf(1), infoOf(2)] },
    // oxlint-disable-next-line require-yield -- it is never asked
    source: { async *read() {} },
    archives,
    sign: () => [],
  });
  return async (how: typeof answer): Promise<number> => {
    compressed = 0;
    answer = how;
    const request = {
      host: parseHostName('web1'),
      deployment: parseDeploymentId('d000001'),
      connection: there.connection,
      paths: new Map([['toplevel', pathOf(1)]]),
      deadlineMs: 60_000,
    };
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
