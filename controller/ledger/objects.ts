import type { GitProgram } from '../../shared/platform/git-program.ts';
import { damaged } from './codec.ts';

/** Reading all of a long history takes seconds; a disk that hangs is noticed all the same. */
const deadlineMs = 900_000;
const lineFeed = 10;

/** Called with each object, in the order of the ids that were asked for; `n` counts from 0. */
export type TakeObject = (id: string, bytes: Buffer, n: number) => void;

/**
 * Reads objects by one process and gives each on as it comes: the memory that is needed is that of the largest one.
 * @throws FleetError LEDGER_BROKEN where one is not there or of another type, and whatever `take` throws
 */
export async function readObjects(
  git: GitProgram,
  dir: string,
  ids: readonly string[],
  type: 'commit' | 'blob',
  take: TakeObject,
): Promise<void> {
  const reader = createReader(ids, type, take);
  const result = await git.run(['cat-file', '--batch', '--buffer'], {
    cwd: dir,
    input: ids.map((id) => `${id}\n`).join(''),
    deadlineMs,
    onOutput: reader.add,
  });
  const unread = reader.next();
  if (unread !== undefined) throw damaged(`${type} ${unread}`, result.stderrTail.trim() || 'unreadable');
}

interface Reader {
  add(this: void, chunk: Buffer): void;
  /** The object that has not come yet. */
  next(): string | undefined;
}

/** `cat-file` answers each id with a line, `<id> <type> <size>`, and the content with a line end. */
function createReader(ids: readonly string[], type: string, take: TakeObject): Reader {
  let n = 0;
  let chunks: Buffer[] = [];
  let have = 0;
  /** As many bytes as have to be there before it is worth a look: a large object comes in many chunks. */
  let need = 1;

  /** Takes the next object out of `bytes`; returns where it ended, `undefined` if it is not whole yet. */
  function takeOne(bytes: Buffer, at: number): number | undefined {
    const id = ids[n] ?? '';
    const lineEnd = bytes.indexOf(lineFeed, at);
    if (lineEnd < 0) return undefined;
    const [found, foundType, size] = bytes.toString('latin1', at, lineEnd).split(' ');
    if (found !== id || foundType !== type) throw damaged(`${type} ${id}`, 'it is missing');
    const end = lineEnd + 1 + Number(size);
    if (bytes.length <= end) {
      need = end + 1 - at;
      return undefined;
    }
    take(id, bytes.subarray(lineEnd + 1, end), n);
    n += 1;
    return end + 1;
  }

  return {
    add(chunk) {
      chunks.push(chunk);
      have += chunk.length;
      if (have < need) return;
      const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
      need = 1;
      let at = 0;
      while (at < bytes.length) {
        const end = takeOne(bytes, at);
        if (end === undefined) break;
        at = end;
      }
      chunks = at < bytes.length ? [bytes.subarray(at)] : [];
      have = bytes.length - at;
    },
    next: () => ids[n],
  };
}
