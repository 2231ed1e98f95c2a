import { StringDecoder } from 'node:string_decoder';

export interface Collector {
  add(chunk: Buffer): void;
  bytes(): Buffer;
  truncated(): boolean;
}

/** Keeps the first `limit` bytes. */
export function boundedHead(limit: number): Collector {
  const chunks: Buffer[] = [];
  let kept = 0;
  let truncated = false;
  return {
    add(chunk) {
      const room = limit - kept;
      if (chunk.length > room) truncated = true;
      if (room <= 0) return;
      const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
      chunks.push(part);
      kept += part.length;
    },
    bytes: () => Buffer.concat(chunks),
    truncated: () => truncated,
  };
}

/** Keeps the last `limit` bytes. */
export function boundedTail(limit: number): Collector {
  let chunks: Buffer[] = [];
  let kept = 0;
  let truncated = false;
  const compact = (): Buffer => {
    const all = Buffer.concat(chunks);
    const tail = all.length > limit ? all.subarray(all.length - limit) : all;
    chunks = [tail];
    kept = tail.length;
    return tail;
  };
  return {
    add(chunk) {
      chunks.push(chunk);
      kept += chunk.length;
      if (kept > limit) truncated = true;
      // Joined only now and then: a chatty program would be copied over and over otherwise.
      if (kept > limit * 2) compact();
    },
    bytes: compact,
    truncated: () => truncated,
  };
}

/** A line longer than this is given in pieces: a program that never ends a line must not fill the memory. */
const longestLine = 64 * 1024;

export interface LineSplitter {
  add(chunk: Buffer): void;
  /** Gives the last line, if it had no line end. */
  end(): void;
}

/** Cuts a stream of bytes into lines of text; `\r\n` ends a line like `\n` does. */
export function createLineSplitter(onLine: (line: string) => void): LineSplitter {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const emit = (line: string): void => onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
  return {
    add(chunk) {
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) emit(line);
      while (rest.length > longestLine) {
        onLine(rest.slice(0, longestLine));
        rest = rest.slice(longestLine);
      }
    },
    end() {
      rest += decoder.end();
      if (rest !== '') emit(rest);
      rest = '';
    },
  };
}
