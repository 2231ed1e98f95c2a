import pLimit from 'p-limit';

import type { PathInfo } from '../nix/store.ts';
import type { Archives } from './archives.ts';

/** Small archives wait for files more than for a processor, so several are made at once. */
const atOnce = 4;
/** Larger ones are compressed as they are sent: what is kept of them is much, and may not be kept at all. */
const largestBytes = 64 * 1024 * 1024;

/**
 * Compresses paths in their order before they are sent, so that nobody waits for one after the other. Never throws: what
 * cannot be made is told to whoever sends it.
 */
export async function compressAhead(
  archives: Pick<Archives, 'pieces' | 'has'>,
  paths: readonly PathInfo[],
  signal: AbortSignal,
): Promise<void> {
  const limit = pLimit(atOnce);
  const make = async (info: PathInfo): Promise<void> => {
    if (signal.aborted || info.narSize > largestBytes || archives.has(info)) return;
    const pieces = archives.pieces(info, signal)[Symbol.asyncIterator]();
    while ((await pieces.next()).done !== true);
  };
  await Promise.allSettled(paths.map((info) => limit(() => make(info))));
}

/** What a host lacks most likely: what was made last. Each after what it references, where that is as new. Pure. */
export function newestFirst(inOrder: readonly PathInfo[]): readonly PathInfo[] {
  return inOrder.toSorted((a, b) => b.registeredAt - a.registeredAt);
}
