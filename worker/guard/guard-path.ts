import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { type StorePath, parseStorePath } from '../../shared/domain/names.ts';

const storeFolder = '/nix/store';
const guardName = 'varve-guard';

/** In the order in which a shell reads them: functions first, what calls them last. */
const parts = [
  'tools',
  'record',
  'units',
  'system',
  'loader',
  'special',
  'once',
  'reboot',
  'run',
  'watchdog',
  'start',
  'confirm',
  'main',
];

/** The guard: one POSIX shell script, written in parts. */
export const guardBytes: Uint8Array = Buffer.concat(
  parts.map((part) => readFileSync(new URL(`./script/${part}.sh`, import.meta.url))),
);

/**
 * Where the guard is on every host: its path follows from its content, so it is computed without asking Nix.
 * `nix-store --add-fixed sha256 FILE` (any Nix) and `nix store add-file FILE` give the same path for a file that is
 * named `varve-guard`; being content-addressed, it needs no signature.
 */
export function guardStorePath(): StorePath {
  return flatFilePath(guardName, guardBytes);
}

/** The store path of a file that is added by the SHA-256 of its bytes, without references. */
export function flatFilePath(name: string, bytes: Uint8Array): StorePath {
  const content = sha256(bytes).toString('hex');
  const inner = sha256(`fixed:out:sha256:${content}:`).toString('hex');
  const whole = sha256(`output:out:sha256:${inner}:${storeFolder}:${name}`);
  return parseStorePath(`${storeFolder}/${nix32(fold(whole, 20))}-${name}`);
}

function sha256(data: Uint8Array | string): Buffer {
  return createHash('sha256').update(data).digest();
}

/** Nix shortens a hash by XOR-ing its bytes into fewer. */
function fold(hash: Uint8Array, size: number): Uint8Array {
  const folded = new Uint8Array(size);
  hash.forEach((byte, i) => {
    folded[i % size] = (folded[i % size] ?? 0) ^ byte;
  });
  return folded;
}

const digits = '0123456789abcdfghijklmnpqrsvwxyz';

/** Nix's base 32: its own digits, five bits each, the most significant first. */
export function nix32(bytes: Uint8Array): string {
  const length = Math.ceil((bytes.length * 8) / 5);
  let text = '';
  for (let n = length - 1; n >= 0; n -= 1) {
    const bit = n * 5;
    const byte = bit >> 3;
    const shift = bit & 7;
    const value = ((bytes[byte] ?? 0) >> shift) | ((bytes[byte + 1] ?? 0) << (8 - shift));
    text += digits[value & 31] ?? '';
  }
  return text;
}
