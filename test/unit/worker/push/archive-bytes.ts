import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';

import type { ArchiveKey } from '../../../../worker/push/archives.ts';

/** Bytes that no compressor makes smaller, the same ones each time. */
export function someBytes(size: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size);
  let state = seed;
  for (let at = 0; at < size; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Bytes that get much smaller. */
export function plainBytes(size: number, seed = 1): Buffer {
  return Buffer.alloc(size, `a line of text, number ${seed}\n`);
}

/** What the zstd program makes of it. */
export function unpacked(packed: Uint8Array): Buffer {
  return execFileSync('zstd', ['-dcq'], { input: packed, maxBuffer: 1024 ** 3 });
}

/** What a path is known by whose archive has these bytes. */
export function keyOf(bytes: Uint8Array): ArchiveKey {
  const narHash = createHash('sha256').update(bytes).digest('hex');
  return { path: `/nix/store/${narHash.slice(0, 32)}-thing`, narHash, narSize: bytes.byteLength };
}
