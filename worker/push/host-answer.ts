import { readKept } from '../nix/protocol/adding.ts';
import { readGreeting } from '../nix/protocol/greeting.ts';
import { createWireReader, WireError } from '../nix/protocol/wire.ts';
import type { Disk } from './disk.ts';

/** What a host says of what is to be pushed to it. */
export type HostAnswer =
  /** All of it was there, and is rooted for the deployment now. */
  | { readonly kind: 'rooted' }
  | {
      readonly kind: 'lacks';
      /** Paths that are there, and stay as long as the channel is open. */
      readonly valid: ReadonlySet<string>;
      /** Where its store is; `undefined` if it cannot tell. */
      readonly disk: Disk | undefined;
      /** Whether it can decompress. */
      readonly zstd: boolean;
    };

/** More than login shells say before the command speaks. */
const mostLines = 1_000;

/** Reads what `controlCommand` says. @throws WireError, DaemonError */
export async function readHostAnswer(output: AsyncIterable<Uint8Array>, count: number): Promise<HostAnswer> {
  const reader = createWireReader(output);
  let disk: Disk | undefined;
  let zstd = false;
  for (let lines = 0; ; lines += 1) {
    if (lines > mostLines) throw new WireError('it says other things without an end');
    const line = await reader.line();
    if (line === 'rooted') return { kind: 'rooted' };
    if (line === 'ready') break;
    if (line === 'zstd') zstd = true;
    const room = /^free (\d+) (\d+) (.*)$/.exec(line);
    if (room !== null) disk = { free: Number(room[1]) * Number(room[2]), filesystem: room[3] ?? '' };
  }
  await readGreeting(reader);
  return { kind: 'lacks', valid: await readKept(reader, count), disk, zstd };
}
