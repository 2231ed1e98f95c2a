import { readKept } from '../nix/protocol/adding.ts';
import { readGreeting } from '../nix/protocol/greeting.ts';
import { createWireReader } from '../nix/protocol/wire.ts';

/** What a host says of what is to be pushed to it. */
export type HostAnswer =
  /** All of it was there, and is rooted for the deployment now. */
  | { readonly kind: 'rooted' }
  | {
      readonly kind: 'lacks';
      /** Paths that are there, and stay as long as the channel is open. */
      readonly valid: ReadonlySet<string>;
      /** Of its disk, in bytes; `undefined` if it cannot tell. */
      readonly free: number | undefined;
      /** Whether it can decompress. */
      readonly zstd: boolean;
    };

/** Reads what `controlCommand` says. @throws WireError, DaemonError */
export async function readHostAnswer(output: AsyncIterable<Uint8Array>, count: number): Promise<HostAnswer> {
  const reader = createWireReader(output);
  let free: number | undefined;
  let zstd = false;
  for (;;) {
    const line = await reader.line();
    if (line === 'rooted') return { kind: 'rooted' };
    if (line === 'ready') break;
    if (line === 'zstd') zstd = true;
    const room = /^free (\d+) (\d+)$/.exec(line);
    if (room !== null) free = Number(room[1]) * Number(room[2]);
  }
  await readGreeting(reader);
  return { kind: 'lacks', valid: await readKept(reader, count), free, zstd };
}
