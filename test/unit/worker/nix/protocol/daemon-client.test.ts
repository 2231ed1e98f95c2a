import { describe, expect, test } from 'vitest';

import { DaemonError } from '../../../../../worker/nix/protocol/answers.ts';
import { greetDaemon, type DaemonClient } from '../../../../../worker/nix/protocol/daemon-client.ts';
import type { ValidPathInfo } from '../../../../../worker/nix/protocol/path-info.ts';
import { encodeNumber, encodeText, encodeTexts, WireError } from '../../../../../worker/nix/protocol/wire.ts';

const last = encodeNumber(0x616c7473);
const a = '/nix/store/00000000000000000000000000000000-a';
const b = '/nix/store/00000000000000000000000000000001-b';

/** What a daemon of this minor version says to a greeting. */
function greeting(minor: number): Buffer {
  return Buffer.concat([
    encodeNumber(0x6478696f),
    encodeNumber(0x100 | minor),
    ...(minor >= 33 ? [encodeText('2.26.3')] : []),
    ...(minor >= 35 ? [encodeNumber(1)] : []),
    last,
  ]);
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A daemon that says this, whatever it is asked, and what it was told. */
async function connected(
  answers: readonly Buffer[],
  options: { readonly minor?: number; readonly pieces?: number } = {},
): Promise<{ readonly client: DaemonClient; readonly told: () => Buffer }> {
  const written: Uint8Array[] = [];
  const bytes = Buffer.concat([greeting(options.minor ?? 34), ...answers]);
  const client = await greetDaemon({
    output: inPieces(bytes, options.pieces ?? 7),
    write: (each) => void written.push(each),
  });
  return { client, told: () => Buffer.concat(written) };
}

const refusal = Buffer.concat([
  encodeNumber(0x63787470),
  ...[
    encodeText('Error'),
    encodeNumber(0),
    encodeText('Error'),
    encodeText('\u001B[31;1mno\u001B[0m such path'),
  ],
  ...[encodeNumber(0), encodeNumber(1), encodeNumber(0), encodeText('while looking')],
]);

const info = Buffer.concat([
  ...[last, encodeNumber(1), encodeText(''), encodeText('0'.repeat(64)), encodeTexts([b])],
  ...[encodeNumber(1_700_000_000), encodeNumber(120), encodeNumber(0), encodeTexts(['k:s']), encodeText('')],
]);
const understood: ValidPathInfo = {
  path: a,
  deriver: undefined,
  narHash: '0'.repeat(64),
  references: [b],
  registeredAt: 1_700_000_000,
  narSize: 120,
  ultimate: false,
  signatures: ['k:s'],
  contentAddress: undefined,
};
const notValid = Buffer.concat([last, encodeNumber(0)]);

describe('the greeting', () => {
  test('claims version 1.35, so that no features are negotiated', async () => {
    const { told } = await connected([]);
    expect(told().toString('hex')).toBe(
      ['6378696e00000000', '2301000000000000', '0000000000000000', '0000000000000000'].join(''),
    );
  });

  test.each([32, 34, 35, 38])('is understood of a daemon of version 1.%i', async (minor) => {
    const { client } = await connected([Buffer.concat([last, encodeTexts([a])])], { minor });
    expect(await client.validPaths([a, b])).toEqual(new Set([a]));
  });

  test('is refused of a daemon that is too old', async () => {
    await expect(connected([], { minor: 21 })).rejects.toThrow('it speaks version 1.21 of the protocol');
  });

  test('is refused of what is no daemon', async () => {
    const output = inPieces(Buffer.alloc(64), 64);
    await expect(greetDaemon({ output, write: () => {} })).rejects.toThrow('it is no Nix daemon');
  });
});

describe('a question', () => {
  test('is sent as Nix sends it', async () => {
    const { client, told } = await connected([Buffer.concat([last, encodeTexts([])])]);
    await client.validPaths([a]);
    expect(told().subarray(32)).toEqual(
      Buffer.concat([
        encodeNumber(31),
        encodeNumber(1),
        encodeNumber(45),
        Buffer.from(`${a}\0\0\0`),
        encodeNumber(0),
      ]),
    );
  });

  test.each([1, 7, 8, 4_096])('is answered in pieces of %i bytes', async (pieces) => {
    const { client } = await connected([info, notValid], { pieces });
    expect(await client.pathInfos([a, b])).toEqual([understood, undefined]);
  });

  test('is answered after what the daemon says meanwhile, whose numbers may be larger than ours', async () => {
    const huge = Buffer.alloc(8, 0xff);
    const meanwhile = [
      ...[encodeNumber(0x6f6c6d67), encodeText('warning: hm')],
      ...[encodeNumber(0x53545254), huge, encodeNumber(3), encodeNumber(105), encodeText('building')],
      ...[encodeNumber(2), encodeNumber(0), huge, encodeNumber(1), encodeText('x'), huge],
      ...[
        encodeNumber(0x52534c54),
        huge,
        encodeNumber(101),
        encodeNumber(1),
        encodeNumber(1),
        encodeText('log'),
      ],
      ...[encodeNumber(0x53544f50), huge],
    ];
    const missing = [last, encodeTexts(['x.drv']), encodeTexts([a]), encodeTexts([]), encodeNumber(1), huge];
    const { client } = await connected([...meanwhile, ...missing]);
    expect(await client.missing(['x.drv'])).toEqual({
      willBuild: ['x.drv'],
      willSubstitute: [a],
      unknown: [],
    });
  });

  test('that is refused has the daemon’s words, and leaves it usable', async () => {
    const { client } = await connected([refusal, info, info]);
    await expect(client.pathInfos([a, b])).rejects.toEqual(new DaemonError('no such path'));
    expect(await client.pathInfos([a])).toEqual([understood]);
  });

  test('fails when the daemon ends in the middle of its answer', async () => {
    const { client } = await connected([info.subarray(0, 40)]);
    await expect(client.pathInfos([a])).rejects.toThrow(WireError);
  });

  test.each([
    ['a text that is longer than any', Buffer.concat([last, encodeNumber(1), encodeNumber(2 ** 40)])],
    ['a list that is longer than any', Buffer.concat([last, encodeNumber(2 ** 40)])],
    [
      'a text that is not filled up with zeros',
      Buffer.concat([last, encodeNumber(1), encodeNumber(1), Buffer.from('abcdefgh')]),
    ],
    ['what nobody knows', encodeNumber(7)],
  ])('fails for %s', async (_, answer) => {
    const { client } = await connected([answer]);
    await expect(client.validPaths([a])).rejects.toThrow(WireError);
  });
});
