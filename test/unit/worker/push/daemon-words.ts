import { encodeNumber, encodeText } from '../../../../worker/nix/protocol/wire.ts';

/** What a daemon of version 1.34 says, as the protocol has it. */
export const words = {
  greeting: Buffer.concat([
    encodeNumber(0x6478696f),
    encodeNumber(0x122),
    encodeText('2.8.0'),
    encodeNumber(0x616c7473),
  ]),
  done: encodeNumber(0x616c7473),
  said: (text: string): Buffer => Buffer.concat([encodeNumber(0x6f6c6d67), encodeText(text)]),
  error: (message: string): Buffer =>
    Buffer.concat([
      encodeNumber(0x63787470),
      encodeText('Error'),
      encodeNumber(0),
      encodeText('Error'),
      encodeText(message),
      encodeNumber(0),
      encodeNumber(0),
    ]),
};
