import { untilAnswer } from './answers.ts';
import { encodePathInfo, type ValidPathInfo } from './path-info.ts';
import { encodeNumber, encodeText, encodeTexts, type WireReader } from './wire.ts';

/**
 * What is said to the daemon of another store so that paths arrive there. (nix.md §1.4; AddTempRoot 11,
 * QueryValidPaths 31, AddToStoreNar 39 of libstore/worker-protocol.hh)
 */
const operation = { addTempRoot: 11, queryValidPaths: 31, addToStoreNar: 39 } as const;

/**
 * Asks that paths, valid or not, are kept from the garbage collector as long as the daemon is talked to, and then which
 * of them are valid: what is valid then stays so. One flight, however many they are.
 * @param options.substitute whether the daemon first fetches what its own caches have
 */
export function keepAndQuery(
  paths: readonly string[],
  options: { readonly substitute: boolean },
): Uint8Array {
  return Buffer.concat([
    ...paths.flatMap((path) => [encodeNumber(operation.addTempRoot), encodeText(path)]),
    encodeNumber(operation.queryValidPaths),
    encodeTexts(paths),
    encodeNumber(options.substitute ? 1 : 0),
  ]);
}

/** Longer than any path, its length with it: names have at most 211 characters. */
const longestPath = 256;

/** Reads the answers to `keepAndQuery` for so many paths: those that are valid. @throws DaemonError, WireError */
export async function readKept(reader: WireReader, count: number): Promise<ReadonlySet<string>> {
  for (let i = 0; i < count; i += 1) {
    await untilAnswer(reader);
    await reader.number();
  }
  await untilAnswer(reader);
  // Not more than was asked for.
  return new Set(await reader.texts(8 + count * longestPath));
}

/**
 * Begins to add a path. Its archive follows in frames, and `endOfFrames`; the daemon answers once it is valid, or why it
 * is not. Paths that it references must be valid before it.
 */
export function beginAdding(info: ValidPathInfo): Uint8Array {
  return Buffer.concat([
    encodeNumber(operation.addToStoreNar),
    encodePathInfo({ ...info, ultimate: false }),
    // Not to repair what is there; and to believe us, which a daemon that does not trust the user does not do.
    encodeNumber(0),
    encodeNumber(1),
  ]);
}

/**
 * Comes before so many bytes of an archive. A daemon holds a whole frame in memory, and some write 64 KiB at a time:
 * 256 KiB are plenty.
 */
export function frameHead(length: number): Uint8Array {
  return encodeNumber(length);
}

export const endOfFrames: Uint8Array = encodeNumber(0);
