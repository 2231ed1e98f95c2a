import { expect, test } from 'vitest';

import { FleetError } from '../../../../shared/domain/errors.ts';
import { endOfFrames, frameHead, beginAdding } from '../../../../worker/nix/protocol/adding.ts';
import { greeting } from '../../../../worker/nix/protocol/greeting.ts';
import { WireError } from '../../../../worker/nix/protocol/wire.ts';
import { createPlainEncoder } from '../../../../worker/push/encoding.ts';
import { type Sending, sendPaths } from '../../../../worker/push/send.ts';
import { words } from './daemon-words.ts';
import { infoOf, pathOf } from './path-infos.ts';

const paths = [infoOf(1), infoOf(2, [1]), infoOf(3)];
const pieces = [Buffer.from('first piece'), Buffer.from('second')];

function staged(said: readonly Buffer[], change: Partial<Sending> = {}) {
  const written: Uint8Array[] = [];
  const events: string[] = [];
  const sending: Sending = {
    paths,
    async *pieces() {
      for (const bytes of pieces) yield { length: bytes.length, bytes };
    },
    encoder: createPlainEncoder(async (bytes) => void written.push(bytes)),
    output: (async function* output() {
      yield* said;
    })(),
    sent: () => events.push('sent'),
    answered: () => events.push('answered'),
    awaited: ({ path }) => events.push(`${path}?`),
    acknowledged: ({ path }) => events.push(path),
    ...change,
  };
  return { events, written: () => Buffer.concat(written), sent: sendPaths(sending) };
}

test('all is said in one go, and each answer is that of its path', async () => {
  const { greeting: hello, done } = words;
  const stage = staged([hello, done, words.said('a warning'), done, done, Buffer.from('rooted\n')]);
  const { refused, rest } = await stage.sent;
  expect(refused).toEqual([]);
  expect(rest.toString()).toBe('rooted\n');
  expect(stage.events.filter((event) => event !== 'sent')).toEqual([
    ...paths.flatMap(({ path }) => [`${path}?`, path]),
    'answered',
  ]);
  const framed = pieces.flatMap((piece) => [frameHead(piece.length), piece]);
  const expected = paths.flatMap((info) => [beginAdding(info), ...framed, endOfFrames]);
  expect(stage.written().equals(Buffer.concat([greeting(), ...expected]))).toBe(true);
});

test('what is refused is told with its path, and the others are acknowledged', async () => {
  const stage = staged([words.greeting, words.error('no'), words.error('not valid'), words.done]);
  const { refused } = await stage.sent;
  expect(refused.map(({ info, why }) => [info.path, why])).toEqual([
    [pathOf(1), 'no'],
    [pathOf(2), 'not valid'],
  ]);
  expect(stage.events.filter((event) => event !== 'sent')).toEqual([
    ...paths.map(({ path }) => `${path}?`),
    pathOf(3),
    'answered',
  ]);
});

test('a daemon that ends in the middle is an error', async () => {
  await expect(staged([words.greeting, words.done]).sent).rejects.toBeInstanceOf(WireError);
});

test('a daemon that ends over what it refuses is told by its words', async () => {
  const { refused } = await staged([words.greeting, words.error('terribly wrong')]).sent;
  expect(refused).toMatchObject([{ info: { path: pathOf(1) }, why: 'terribly wrong' }]);
});

test('a daemon that ends over what it refuses is told by its words, also when it cannot be written to any more', async () => {
  const gone = new FleetError({ code: 'HOST_UNREACHABLE', disposition: 'transient', message: 'lost' });
  const encoder = createPlainEncoder(() => Promise.reject(gone));
  const { refused } = await staged([words.greeting, words.error('no space left')], { encoder }).sent;
  expect(refused).toMatchObject([{ why: 'no space left' }]);
  await expect(staged([words.greeting, words.done], { encoder }).sent).rejects.toThrow();
});

test('what cannot be read here ends it, whatever the daemon says', async () => {
  const stage = staged([words.greeting], {
    // oxlint-disable-next-line require-yield -- that is the fault
    async *pieces() {
      throw new Error('the disk is broken');
    },
  });
  await expect(stage.sent).rejects.toThrow();
  expect(stage.events).not.toContain('sent');
});
