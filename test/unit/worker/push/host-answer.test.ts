import { expect, test } from 'vitest';

import { encodeNumber, encodeTexts } from '../../../../worker/nix/protocol/wire.ts';
import { readHostAnswer } from '../../../../worker/push/host-answer.ts';
import { words } from './daemon-words.ts';
import { pathOf } from './path-infos.ts';

const kept = Buffer.concat([words.done, encodeNumber(1)]);
const answer = Buffer.concat([words.greeting, kept, kept, words.done, encodeTexts([pathOf(2)])]);

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const said = (text: string): Buffer => Buffer.concat([Buffer.from(text), answer]);

test.each([1, 7, 100_000])('is read the same in pieces of %i bytes', async (size) => {
  const bytes = said('free 100 4096 ext2/ext3\nzstd\nready\n');
  expect(await readHostAnswer(inPieces(bytes, size), 2)).toEqual({
    kind: 'lacks',
    valid: new Set([pathOf(2)]),
    disk: { free: 409_600, filesystem: 'ext2/ext3', collects: false, shares: false },
    zstd: true,
  });
});

test('of a host that cannot decompress, does not know its room, and greets all who log in', async () => {
  const bytes = said('Welcome!\nfree lunch\nready\n');
  expect(await readHostAnswer(inPieces(bytes, 50), 2)).toMatchObject({ disk: undefined, zstd: false });
});

test.each([
  ['min-free = 0', false, false],
  ['min-free = 1073741824', true, false],
  ['min-free=5G\nauto-optimise-store = true', true, true],
  ['auto-optimise-store = true\nmin-free = 100\nauto-optimise-store = false\nmin-free = 0', false, false],
])('that makes room with %j', async (lines, collects, shares) => {
  const bytes = said(`free 100 4096 xfs\n${lines}\nready\n`);
  expect(await readHostAnswer(inPieces(bytes, 50), 2)).toMatchObject({ disk: { collects, shares } });
});

test('that all is there needs no daemon', async () => {
  expect(await readHostAnswer(inPieces(Buffer.from('Welcome!\nrooted\n'), 5), 2)).toEqual({ kind: 'rooted' });
});

test.each([
  ['nothing', ''],
  ['no Nix', 'free 1 1 xfs\nready\nsh: exec: nix-daemon: not found'],
])('of a host that has %s is an error', async (_, text) => {
  await expect(readHostAnswer(inPieces(Buffer.from(text), 9), 2)).rejects.toThrow(
    /it ended|no Nix daemon|too/,
  );
});

test('of a host that says other things without an end is an error', async () => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield Buffer.from('y\n');
  }
  await expect(readHostAnswer(endless(), 2)).rejects.toThrow('without an end');
});
