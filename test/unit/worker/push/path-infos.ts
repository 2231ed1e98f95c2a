import { parseStorePath } from '../../../../shared/domain/names.ts';
import type { PathInfo } from '../../../../worker/nix/store.ts';

const digits = '0123456789abcdfghijklmnpqrsvwxyz';

/** The number's own path. */
export function pathOf(n: number): PathInfo['path'] {
  const hash = Array.from({ length: 32 }, (_, place) => digits[Math.floor(n / 32 ** place) % 32] ?? '0');
  return parseStorePath(`/nix/store/${hash.join('')}-p${n}`);
}

export function infoOf(n: number, references: readonly number[] = [], narSize = 100): PathInfo {
  return {
    path: pathOf(n),
    deriver: undefined,
    narHash: '0'.repeat(64),
    references: references.map(pathOf),
    registeredAt: 0,
    narSize,
    ultimate: false,
    signatures: [],
    contentAddress: undefined,
  };
}
