import type { Channel, ChannelEnd } from '../../../../worker/ssh/channel.ts';

/** A command that says what it is given to say, and is written to as it likes. */
export function fakeChannel(
  said: AsyncIterable<Uint8Array>,
  {
    write = async () => {},
    ended = new Promise<never>(() => {}),
    complaint = '',
  }: {
    readonly write?: Channel['write'];
    readonly ended?: Promise<ChannelEnd>;
    readonly complaint?: string;
  } = {},
): Channel {
  return {
    output: said,
    write,
    end: () => {},
    complaint: () => complaint,
    isRunning: () => true,
    ended,
    close: () => {},
  };
}
