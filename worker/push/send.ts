import { DaemonError, untilAnswer } from '../nix/protocol/answers.ts';
import { beginAdding, endOfFrames, frameHead } from '../nix/protocol/adding.ts';
import { greeting, readGreeting } from '../nix/protocol/greeting.ts';
import { createWireReader, WireError } from '../nix/protocol/wire.ts';
import type { PathInfo } from '../nix/store.ts';
import { isUnreachable } from '../ssh/ssh-errors.ts';
import type { Encoder } from './encoding.ts';

/** A piece of an archive, in the form that the encoder takes. */
export interface Piece {
  /** Bytes of the archive in it. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

/** A path that the host's daemon did not take, in its own words. */
export interface Refused {
  readonly info: PathInfo;
  readonly why: string;
}

export interface Sending {
  /** Each after all that it references. */
  readonly paths: readonly PathInfo[];
  readonly pieces: (info: PathInfo) => AsyncIterable<Piece>;
  readonly encoder: Encoder;
  /** What the daemon says. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Everything is on its way. */
  readonly sent: () => unknown;
  /** Everything is answered. */
  readonly answered: () => unknown;
  /** Those before it are answered, and the next answer is about this one. */
  readonly awaited: (info: PathInfo) => unknown;
  /** The host has it. */
  readonly acknowledged: (info: PathInfo) => void;
}

export interface Sent {
  readonly refused: readonly Refused[];
  /** What was said after the last answer. */
  readonly rest: Buffer;
}

/**
 * Sends paths to a daemon, all in one go, and reads meanwhile how each of them fared: both sides would wait for each
 * other if nobody read. A path that is refused keeps none but its referrers from arriving.
 * @throws WireError when the daemon has gone, and had refused nothing; whatever `pieces` and the encoder throw
 */
export async function sendPaths(sending: Sending): Promise<Sent> {
  const reading = read(sending);
  const writing = write(sending).catch(async (thrown: unknown) => {
    // To one that has ended nothing can be written; why it has is in what it refused.
    if (!isUnreachable(thrown) || (await reading).refused.length === 0) throw thrown;
  });
  const [sent] = await Promise.all([reading, writing]);
  return sent;
}

async function write({ paths, pieces, encoder, sent }: Sending): Promise<void> {
  await encoder.plain(greeting());
  for (const info of paths) {
    await encoder.plain(beginAdding(info));
    for await (const { length, bytes } of pieces(info)) {
      await encoder.plain(frameHead(length));
      await encoder.piece(bytes);
    }
    await encoder.plain(endOfFrames);
  }
  await encoder.flush();
  sent();
}

async function read({ paths, output, awaited, acknowledged, answered }: Sending): Promise<Sent> {
  const reader = createWireReader(output);
  await readGreeting(reader);
  const refused: Refused[] = [];
  for (const info of paths) {
    awaited(info);
    try {
      await untilAnswer(reader);
      acknowledged(info);
    } catch (thrown) {
      // What a daemon could not do, and ended over: its last words say more than that it has ended.
      if (thrown instanceof WireError && refused.length > 0) return { refused, rest: Buffer.alloc(0) };
      if (!(thrown instanceof DaemonError)) throw thrown;
      refused.push({ info, why: thrown.message });
    }
  }
  answered();
  return { refused, rest: await reader.rest() };
}
