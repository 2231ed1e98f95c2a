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
  let room: Pick<Disk, 'free' | 'filesystem'> | undefined;
  let [collects, shares] = [false, false];
  let zstd = false;
  for (let lines = 0; ; lines += 1) {
    if (lines > mostLines) throw new WireError('it says other things without an end');
    const line = await reader.line();
    if (line === 'rooted') return { kind: 'rooted' };
    if (line === 'ready') break;
    if (line === 'zstd') zstd = true;
    const free = /^free (\d+) (\d+) (.*)$/.exec(line);
    if (free !== null) room = { free: Number(free[1]) * Number(free[2]), filesystem: free[3] ?? '' };
    // As in Nix, the last line of a setting is the one that counts.
    const setting = /^ *(min-free|auto-optimise-store) *= *(\S*)/.exec(line);
    if (setting?.[1] === 'min-free') collects = /^0*[1-9]/.test(setting[2] ?? '');
    if (setting?.[1] === 'auto-optimise-store') shares = setting[2] === 'true';
  }
  await readGreeting(reader);
  const disk = room === undefined ? undefined : { ...room, collects, shares };
  return { kind: 'lacks', valid: await readKept(reader, count), disk, zstd };
}
