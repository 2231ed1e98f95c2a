import { describe, expect, test } from 'vitest';

import { readKept } from '../../../../../worker/nix/protocol/adding.ts';
import { DaemonError, untilAnswer } from '../../../../../worker/nix/protocol/answers.ts';
import {
  createWireReader,
  encodeNumber,
  encodeText,
  encodeTexts,
  WireError,
  type WireReader,
} from '../../../../../worker/nix/protocol/wire.ts';
import { words } from '../../push/daemon-words.ts';

const mebibyte = 1024 * 1024;

interface Peer {
  readonly reader: WireReader;
  /** What was read of it. */
  readonly said: () => number;
}

/** Says this, and then the same again and again for as long as anybody listens. */
function peer(first: Uint8Array, ...forEver: readonly Uint8Array[]): Peer {
  let said = 0;
  async function* output(): AsyncGenerator<Uint8Array> {
    for (let next = [first]; next.length > 0; next = [...forEver]) {
      for (const bytes of next) {
        said += bytes.length;
        yield bytes;
      }
    }
  }
  return { reader: createWireReader(output()), said: () => said };
}

const saying = (...parts: readonly Uint8Array[]): WireReader => peer(Buffer.concat(parts)).reader;
const someText = encodeText('x'.repeat(64 * 1024));

describe('a peer that wants our memory is not listened to', () => {
  test.each([
    ['a long text', encodeNumber(mebibyte + 1), 'a text of 1048577 bytes is too long'],
    [
      'a text that is longer than any memory',
      encodeNumber(2 ** 50),
      `a text of ${2 ** 50} bytes is too long`,
    ],
  ])('when it announces %s', async (_, bytes, message) => {
    const { reader, said } = peer(bytes, Buffer.alloc(mebibyte));
    await expect(reader.text()).rejects.toThrow(new WireError(message));
    expect(said()).toBe(8);
  });

  test('when it announces a list of more texts than there may be', async () => {
    const { reader, said } = peer(encodeNumber(2 ** 40), Buffer.alloc(mebibyte));
    await expect(reader.texts()).rejects.toThrow(/^a list of 1099511627776 texts is longer than \d+ bytes$/);
    expect(said()).toBe(8);
  });

  test('when the texts of a list are together more than there may be', async () => {
    const { reader, said } = peer(encodeNumber(100_000), someText);
    await expect(reader.texts()).rejects.toThrow(/^a list of 100000 texts is longer than \d+ bytes$/);
    expect(said()).toBeLessThan(65 * mebibyte);
  });

  test('when it has more paths than it was asked for', async () => {
    const asked = Array.from({ length: 2 }, () => Buffer.concat([words.done, encodeNumber(1)]));
    const path = `/nix/store/${'0'.repeat(32)}-name`;
    const answer = (paths: number): WireReader =>
      saying(...asked, words.done, encodeTexts(Array.from({ length: paths }, () => path)));
    expect(await readKept(answer(2), 2)).toEqual(new Set([path]));
    await expect(readKept(answer(20), 2)).rejects.toThrow('a list of 20 texts is longer than 520 bytes');
  });

  test('when its line does not end', async () => {
    const { reader, said } = peer(Buffer.from('Welcome'), Buffer.alloc(1_000, 'x'));
    await expect(reader.line()).rejects.toThrow('it says more than 1048576 bytes before it begins');
    expect(said()).toBeLessThan(2 * mebibyte);
  });

  test('when its lines do not end', async () => {
    const { reader, said } = peer(Buffer.from('Welcome!\n'), Buffer.from(`${'x'.repeat(1_000)}\n`));
    const readAll = async (): Promise<void> => {
      for (;;) await reader.line();
    };
    await expect(readAll()).rejects.toThrow('it says more than 1048576 bytes before it begins');
    expect(said()).toBeLessThan(2 * mebibyte);
  });

  test('when it goes on after its answers', async () => {
    const { reader, said } = peer(Buffer.from('rooted\n'), Buffer.alloc(1_000, 'x'));
    await expect(reader.rest()).rejects.toThrow('it says more than 1048576 bytes after its answers');
    expect(said()).toBeLessThan(2 * mebibyte);
  });

  test('when a message of it has fields without end', async () => {
    const result = Buffer.concat([0x52534c54, 1, 101, 2 ** 50].map(encodeNumber));
    const { reader } = peer(result, encodeNumber(0));
    await expect(untilAnswer(reader)).rejects.toThrow(`a message of ${2 ** 50} fields has too many`);
  });

  test('when its error has traces without end', async () => {
    const error = [encodeNumber(0x63787470), encodeText('Error'), encodeNumber(0), encodeText('Error')];
    const { reader } = peer(
      Buffer.concat([...error, encodeText('why'), encodeNumber(0), encodeNumber(2 ** 50)]),
      encodeNumber(0),
      encodeText('trace'),
    );
    await expect(untilAnswer(reader)).rejects.toThrow(`an error with ${2 ** 50} traces has too many`);
  });
});

test.each([
  ['of a long error its end is kept', `${'x\n'.repeat(mebibyte / 2 - 100)}why`, /^(x\n){3000,}why$/],
  ['of an error in one long line its beginning', `why${'x'.repeat(mebibyte - 100)}`, /^whyx{7000,}…$/],
])('%s', async (_, message, kept) => {
  const thrown: unknown = await untilAnswer(saying(words.error(message))).catch((error: unknown) => error);
  if (!(thrown instanceof DaemonError)) throw new Error('it is none', { cause: thrown });
  expect(thrown.message.length).toBeLessThanOrEqual(8_000);
  expect(thrown.message).toMatch(kept);
});

/** As `peer`, but it ends. */
async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

// To join what is there with every piece that comes would be 128 GB to copy, twice.
test('what comes in very small pieces takes no more time than its bytes do', async () => {
  const long = 'x'.repeat(mebibyte / 2);
  const reader = createWireReader(inPieces(Buffer.from(`${long}\n${long}`), 1));
  expect(await reader.line()).toBe(long);
  expect((await reader.rest()).toString()).toBe(long);
});
