import { untilAnswer } from './answers.ts';
import { encodeNumber, WireError, type WireReader } from './wire.ts';

const clientHello = 0x6e697863;
const serverHello = 0x6478696f;
/**
 * Claimed by us. From 1.38 on features are negotiated, which takes a round trip more, and nothing that is asked here
 * needs any. Nix 2.4, the oldest with flakes, speaks 1.32.
 */
const ourMinor = 35;
const oldestMinor = 32;

/** What a client says first. Questions may follow at once: none of those that we ask depends on the answer. */
export function greeting(): Buffer {
  // Twice zero: no processor is asked for, and no space reserved, as no version does any more.
  return Buffer.concat([clientHello, 0x100 | ourMinor, 0, 0].map(encodeNumber));
}

/** Reads the daemon's answer. @throws WireError when it is none, or too old for us */
export async function readGreeting(reader: WireReader): Promise<void> {
  if ((await reader.number()) !== serverHello) throw new WireError('it is no Nix daemon');
  const version = await reader.number();
  const minor = Math.min(version & 0xff, ourMinor);
  if (version >> 8 !== 1 || minor < oldestMinor) {
    throw new WireError(
      `it speaks version ${version >> 8}.${version & 0xff} of the protocol, too old for us`,
    );
  }
  if (minor >= 33) await reader.text();
  // Whether we are trusted: what we ask is the same in any case.
  if (minor >= 35) await reader.number();
  await untilAnswer(reader);
}
