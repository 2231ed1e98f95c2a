import { expect, test } from 'vitest';

import { parseDeploymentId, parseHostName } from '../../../../shared/domain/names.ts';
import { createStream } from '../../../../worker/push/stream.ts';
import { createWatch } from '../../../../worker/push/watch.ts';
import { recordingContext } from '../../../support/nix-workshop.ts';
import { words } from './daemon-words.ts';
import { fakeChannel } from './fake-channel.ts';
import { infoOf, pathOf } from './path-infos.ts';

test('the host is told to wait longer for a worker than the worker waits for its largest path', async () => {
  const paths = [infoOf(1), infoOf(2, [], 5_000_000_000)];
  const stream = createStream({
    source: {
      async *read() {
        yield Buffer.from('a piece');
      },
    },
    archives: { has: () => true, async *pieces() {} },
    sign: () => [],
  });
  const limits = { deadlineMs: 60_000, stallMs: 60_000, diskBytesPerSecond: 10_000_000 };
  const watch = createWatch(new AbortController().signal, limits);
  async function* output(): AsyncGenerator<Uint8Array> {
    yield Buffer.concat([words.greeting, words.done, words.done, Buffer.from('rooted\n')]);
  }
  const written: Uint8Array[] = [];
  const data = fakeChannel(output(), { write: async (bytes) => void written.push(Buffer.from(bytes)) });
  const request = {
    host: parseHostName('web1'),
    deployment: parseDeploymentId('d000001'),
    connection: { address: 'web1', port: 22, user: 'root', hostKeys: [] },
    paths: new Map([['toplevel', pathOf(1)]]),
    deadlineMs: 60_000,
  };
  const arrived = { paths: 0, bytes: 0 };
  await stream(
    { request, closure: paths, watch, context: recordingContext(), began: 0, arrived, lacked: new Map() },
    data,
    { paths, compress: false, room: {} },
  );
  watch.end();
  expect(Buffer.concat(written).toString('latin1')).toMatch(/^plain 590\nd000001\n/);
  expect(watch.patienceMs(5_000_000_000)).toBe(560_000);
  expect(arrived.paths).toBe(2);
});
