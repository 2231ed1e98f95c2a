/**
 * The primitives of Nix's protocols: numbers are eight bytes, little end first; a text is its length in bytes, the
 * bytes, and zeros up to the next multiple of eight.
 */

const lineEnd = 10;

/**
 * What the other side may have us hold, in bytes: a host decides what its daemon says, and is not trusted. More than any
 * version of Nix says; whoever says more does not speak its protocol.
 */
const limits = {
  /** A name, a path, an error with all that it quotes. */
  text: 1024 * 1024,
  /** A list with its lengths: the paths that a store must build for a large system are 100 bytes each. */
  list: 64 * 1024 * 1024,
  /** Lines together, before the protocol begins; and what comes after it. */
  around: 1024 * 1024,
} as const;

export function encodeNumber(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export function encodeText(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([encodeNumber(bytes.length), bytes, Buffer.alloc(padding(bytes.length))]);
}

export function encodeTexts(values: readonly string[]): Buffer {
  return Buffer.concat([encodeNumber(values.length), ...values.map(encodeText)]);
}

/** Zeros after a text of this many bytes. */
export function padding(length: number): number {
  return (8 - (length % 8)) % 8;
}

/** Reads one value after the other. @throws WireError when the other side ends, or says what cannot be */
export interface WireReader {
  number(): Promise<number>;
  /** Reads a number that nobody needs: those that name activities may be larger than ours can be. */
  skipNumber(): Promise<void>;
  text(): Promise<string>;
  /** @param mostBytes of the list as it is sent, where less than of any list is to be expected */
  texts(mostBytes?: number): Promise<readonly string[]>;
  /** Reads a line of text, as a program may say some before it begins with the protocol; without its end. */
  line(): Promise<string>;
  /** Reads whatever else there is, up to the end. */
  rest(): Promise<Buffer>;
}

/** The other side does not speak the protocol, or does not speak any more. */
export class WireError extends Error {}

export function createWireReader(source: AsyncIterable<Uint8Array>): WireReader {
  const chunks = source[Symbol.asyncIterator]();
  // What has come and is not read yet: from `start` to `end`.
  let room = Buffer.alloc(0);
  let start = 0;
  let end = 0;
  let lineBytes = 0;

  /** However small the pieces are, their bytes are copied a few times at most, and take no more than twice the room. */
  async function more(): Promise<boolean> {
    const next = await chunks.next();
    if (next.done === true) return false;
    const bytes = next.value;
    if (end + bytes.length > room.length) {
      const larger = Buffer.allocUnsafe(2 * (end - start + bytes.length));
      room.copy(larger, 0, start, end);
      [room, start, end] = [larger, 0, end - start];
    }
    room.set(bytes, end);
    end += bytes.length;
    return true;
  }

  async function take(length: number): Promise<Buffer> {
    while (end - start < length) {
      if (!(await more())) throw new WireError('it ended in the middle of an answer');
    }
    start += length;
    return room.subarray(start - length, start);
  }

  async function readNumber(): Promise<number> {
    const value = Number((await take(8)).readBigUInt64LE());
    if (!Number.isSafeInteger(value)) throw new WireError(`${value} is too large for a number`);
    return value;
  }

  async function readText(): Promise<string> {
    const length = await readNumber();
    if (length > limits.text) throw new WireError(`a text of ${length} bytes is too long`);
    const bytes = await take(length + padding(length));
    if (bytes.subarray(length).some((byte) => byte !== 0))
      throw new WireError('a text is not filled up with zeros');
    return bytes.toString('utf8', 0, length);
  }

  return {
    async line() {
      let length = room.subarray(start, end).indexOf(lineEnd);
      while (length < 0) {
        const before = end - start;
        if (lineBytes + before > limits.around) throw saysTooMuch('before it begins');
        if (!(await more())) throw new WireError('it ended in the middle of a line');
        const found = room.subarray(start + before, end).indexOf(lineEnd);
        if (found >= 0) length = before + found;
      }
      lineBytes += length + 1;
      if (lineBytes > limits.around) throw saysTooMuch('before it begins');
      const line = await take(length + 1);
      return line.toString('utf8', 0, length);
    },
    async rest() {
      while (await more()) if (end - start > limits.around) throw saysTooMuch('after its answers');
      return room.subarray(start, end);
    },
    number: readNumber,
    skipNumber: async () => void (await take(8)),
    text: readText,
    async texts(mostBytes = limits.list) {
      const count = await readNumber();
      let left = mostBytes - 8 * count;
      const values: string[] = [];
      for (let i = 0; i < count && left >= 0; i += 1) {
        const value = await readText();
        left -= Buffer.byteLength(value);
        values.push(value);
      }
      if (left < 0) throw new WireError(`a list of ${count} texts is longer than ${mostBytes} bytes`);
      return values;
    },
  };
}

function saysTooMuch(when: string): WireError {
  return new WireError(`it says more than ${limits.around} bytes ${when}`);
}
