import { DaemonError } from '../nix/protocol/answers.ts';
import { WireError } from '../nix/protocol/wire.ts';
import type { Channel, ChannelEnd } from '../ssh/channel.ts';
import { lost } from '../ssh/ssh-errors.ts';
import { pushError, type Room } from './push-errors.ts';
import type { PushRequest } from './push.ts';

/** A command that says what cannot be may go on with it forever. */
const lastWordsMs = 3_000;

/**
 * Why it came to this on a channel: a daemon that ends in the middle has said so on its standard error, or the connection
 * is lost. The channel is of no use any more.
 */
export async function explained(
  thrown: unknown,
  channel: Channel,
  { connection }: PushRequest,
  room?: Room,
): Promise<unknown> {
  if (thrown instanceof DaemonError) return pushError(thrown.message, connection, room);
  if (!(thrown instanceof WireError)) return thrown;
  const end = await endOf(channel);
  if (end?.kind === 'lost') return lost(connection, thrown);
  const said = channel.complaint().trim();
  return pushError(said === '' ? thrown.message : said, connection, room);
}

/** How a command ends that is told nothing more, if it does so soon. */
async function endOf(channel: Channel): Promise<ChannelEnd | undefined> {
  // One that says what cannot be still waits for more.
  channel.end();
  // Its end comes after all that it says, and what nobody reads it cannot say.
  discard(channel.output).catch(() => {});
  let late: NodeJS.Timeout | undefined;
  const goesOn = new Promise<undefined>((resolve) => {
    late = setTimeout(() => resolve(undefined), lastWordsMs);
  });
  return Promise.race([channel.ended, goesOn]).finally(() => clearTimeout(late));
}

async function discard(output: AsyncIterable<Uint8Array>): Promise<void> {
  const chunks = output[Symbol.asyncIterator]();
  while ((await chunks.next()).done !== true);
}
