/** What the machine has to give, and what a host is thought to cost. */
export interface Capacity {
  /** Memory that evaluations may take together. */
  readonly availableBytes: number;
  readonly cores: number;
  /** A process that evaluates: nixpkgs itself. */
  readonly baseBytes: number;
  /** Each host in it, on top. */
  readonly hostBytes: number;
  /** Below this many hosts a process is not worth splitting: hosts in one process share what they have in common. */
  readonly worthwhile: number;
}

export interface Chunking {
  /** Processes at once. */
  readonly parallel: number;
  /** Hosts in one process, at most. */
  readonly size: number;
  /** What one process may take. */
  readonly bytesEach: number;
}

/** How many processes to use for so many hosts. There is always at least one, with at least one host. */
export function chunking(hosts: number, capacity: Capacity): Chunking {
  const { availableBytes, cores, baseBytes, hostBytes, worthwhile } = capacity;
  const smallest = baseBytes + worthwhile * hostBytes;
  const parallel = Math.max(
    1,
    Math.min(cores, Math.ceil(hosts / worthwhile), Math.floor(availableBytes / smallest)),
  );
  const bytesEach = Math.floor(availableBytes / parallel);
  const fits = Math.max(1, Math.floor((bytesEach - baseBytes) / hostBytes));
  const size = Math.max(1, Math.min(fits, Math.ceil(hosts / parallel)));
  return { parallel, size, bytesEach };
}

export function inChunks<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  const chunks: Item[][] = [];
  for (let at = 0; at < items.length; at += size) chunks.push(items.slice(at, at + size));
  return chunks;
}
