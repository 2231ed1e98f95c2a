/**
 * The primitives of Nix's protocols: numbers are eight bytes, little end first; a text is its length in bytes, the
 * bytes, and zeros up to the next multiple of eight.
 */

const lineEnd = 10;

/** More than any name, path, error or list of Nix; whoever says more does not speak its protocol. */
const longest = 64 * 1024 * 1024;

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
  texts(): Promise<readonly string[]>;
  /** Reads a line of text, as a program may say some before it begins with the protocol; without its end. */
  line(): Promise<string>;
  /** Reads whatever else there is, up to the end. */
  rest(): Promise<Buffer>;
}

/** The other side does not speak the protocol, or does not speak any more. */
export class WireError extends Error {}

export function createWireReader(source: AsyncIterable<Uint8Array>): WireReader {
  const chunks = source[Symbol.asyncIterator]();
  let buffered = Buffer.alloc(0);

  async function take(length: number): Promise<Buffer> {
    if (buffered.length < length) {
      const parts = [buffered];
      let have = buffered.length;
      while (have < length) {
        const next = await chunks.next();
        if (next.done === true) throw new WireError('it ended in the middle of an answer');
        parts.push(Buffer.from(next.value));
        have += next.value.length;
      }
      buffered = Buffer.concat(parts);
    }
    const taken = buffered.subarray(0, length);
    buffered = buffered.subarray(length);
    return taken;
  }

  async function readNumber(): Promise<number> {
    const value = Number((await take(8)).readBigUInt64LE());
    if (!Number.isSafeInteger(value)) throw new WireError(`${value} is too large for a number`);
    return value;
  }

  async function readText(): Promise<string> {
    const length = await readNumber();
    if (length > longest) throw new WireError(`a text of ${length} bytes is too long`);
    const bytes = await take(length + padding(length));
    if (bytes.subarray(length).some((byte) => byte !== 0))
      throw new WireError('a text is not filled up with zeros');
    return bytes.toString('utf8', 0, length);
  }

  async function more(): Promise<boolean> {
    const next = await chunks.next();
    if (next.done === true) return false;
    buffered = Buffer.concat([buffered, next.value]);
    if (buffered.length > longest) throw new WireError('it goes on and on');
    return true;
  }

  return {
    async line() {
      let end = buffered.indexOf(lineEnd);
      while (end < 0) {
        if (!(await more())) throw new WireError('it ended in the middle of a line');
        end = buffered.indexOf(lineEnd);
      }
      const line = buffered.toString('utf8', 0, end);
      buffered = buffered.subarray(end + 1);
      return line;
    },
    async rest() {
      while (await more());
      return buffered;
    },
    number: readNumber,
    skipNumber: async () => void (await take(8)),
    text: readText,
    async texts() {
      const count = await readNumber();
      if (count > longest / 8) throw new WireError(`a list of ${count} is too long`);
      const values: string[] = [];
      for (let i = 0; i < count; i += 1) values.push(await readText());
      return values;
    },
  };
}
