import { closeSync, openSync, readSync } from 'node:fs';

/** The outputs come first in a derivation; one whose hash is known beforehand names the algorithm. */
const fixedOutput = /^Derive\(\[\("[^"]*","[^"]*","[^"]+"/;
const enoughBytes = 4_096;

/**
 * Whether a derivation's output is named by its content, as those are that fetch something: only these may use the
 * network. What cannot be read is taken for one that builds.
 */
export function isFixedOutput(drvPath: string): boolean {
  try {
    const file = openSync(drvPath, 'r');
    try {
      const head = Buffer.alloc(enoughBytes);
      return fixedOutput.test(head.toString('utf8', 0, readSync(file, head, 0, enoughBytes, 0)));
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}
