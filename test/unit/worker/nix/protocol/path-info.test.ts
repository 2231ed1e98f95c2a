import { describe, expect, test } from 'vitest';

import { DaemonError } from '../../../../../worker/nix/protocol/answers.ts';
import { greetDaemon } from '../../../../../worker/nix/protocol/daemon-client.ts';
import { encodePathInfo, readPathInfo } from '../../../../../worker/nix/protocol/path-info.ts';
import {
  createWireReader,
  encodeNumber,
  encodeText,
  WireError,
} from '../../../../../worker/nix/protocol/wire.ts';
import { added, answers, greetings, refused } from './recorded.ts';

const last = encodeNumber(0x616c7473);
const kinds = ['signed', 'referring', 'contentAddressed'] as const;

function bytesOf(bytes: Buffer): AsyncIterable<Uint8Array> {
  return (async function* () {
    yield bytes;
  })();
}

describe.each(['2.8.0', '2.26.3'] as const)('of what Nix %s says,', (version) => {
  const client = (...said: readonly Buffer[]) =>
    greetDaemon({ output: bytesOf(Buffer.concat([greetings[version], ...said])), write: () => {} });

  test('the infos are those of the paths that were added', async () => {
    const { signed, referring, contentAddressed, refused: none } = answers.infos;
    const paths = [...kinds.map((kind) => added[kind].path), refused];
    const daemon = await client(signed, referring, contentAddressed, none);
    expect(await daemon.pathInfos(paths)).toEqual([...kinds.map((kind) => added[kind]), undefined]);
  });

  test('the valid paths are those that were added', async () => {
    const daemon = await client(answers.valid);
    expect(await daemon.validPaths([])).toEqual(new Set(kinds.map((kind) => added[kind].path)));
  });

  test('the refusal of a path has its words without colours, and does not end the conversation', async () => {
    const daemon = await client(answers.refused, answers.valid);
    await expect(daemon.validPaths([])).rejects.toEqual(
      new DaemonError(
        [
          `hash mismatch importing path '${refused}';`,
          `  specified: sha256:${'0'.repeat(52)}`,
          '  got:       sha256:05allm4l570nzz3apqs525c8k7lcpmir7cw5aj2yjmck58165xa2',
        ].join('\n'),
      ),
    );
    expect((await daemon.validPaths([])).size).toBe(3);
  });

  test('nothing comes with the word that a path was added', () => {
    expect(answers.added).toEqual(last);
  });
});

describe('a path’s info', () => {
  test.each(kinds)('is written as daemons write it: one that is %s', (kind) => {
    const path = encodeText(added[kind].path);
    const encoded = encodePathInfo(added[kind]);
    expect(encoded.subarray(0, path.length)).toEqual(path);
    expect(Buffer.concat([last, encodeNumber(1), encoded.subarray(path.length)])).toEqual(
      answers.infos[kind],
    );
  });

  test('is written with its references in order, whatever theirs is here', () => {
    const turned = { ...added.referring, references: added.referring.references.toReversed() };
    expect(encodePathInfo(turned)).toEqual(encodePathInfo(added.referring));
  });

  test('has the same hash in whichever way a daemon writes it', async () => {
    const { narHash, path } = added.contentAddressed;
    for (const written of [
      `sha256:${narHash}`,
      'sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw',
      `sha256-${Buffer.from(narHash, 'hex').toString('base64')}`,
    ]) {
      const said = Buffer.concat([
        ...[encodeText(''), encodeText(written), encodeNumber(0), encodeNumber(1), encodeNumber(120)],
        ...[encodeNumber(0), encodeNumber(0), encodeText('')],
      ]);
      const info = await readPathInfo(createWireReader(bytesOf(said)), path);
      expect(info.narHash).toBe(narHash);
    }
  });

  test.each(['', 'md5:0', '0'.repeat(63), 'g'.repeat(64), `sha512:${'0'.repeat(64)}`])(
    'is not read with the hash %j',
    async (hash) => {
      const said = Buffer.concat([encodeText(''), encodeText(hash)]);
      const read = readPathInfo(createWireReader(bytesOf(said)), refused);
      await expect(read).rejects.toEqual(new WireError(`${JSON.stringify(hash)} is no SHA-256`));
    },
  );
});
