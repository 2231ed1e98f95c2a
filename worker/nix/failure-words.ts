/** Nix tells kinds of failures apart by its words only: these are those of versions 2.3 to 2.31. */

export function isDiskFull(text: string): boolean {
  return /no space left on device|disk quota exceeded|database or disk is full/i.test(text);
}

/** A build that was ended for its time, its silence or the length of its log. */
export function tookTooLong(message: string): boolean {
  return /timed out after|exceeded .* of log|was silent for/i.test(message);
}

/** A build that was killed, mostly for want of memory. */
export function wasKilled(message: string): boolean {
  return /failed due to signal|out of memory|cannot allocate memory/i.test(message);
}

/** The message without what it quotes of a builder's log, which may say anything. */
export function withoutQuotes(message: string): string {
  return message.replaceAll(/^\s*>.*$/gm, '');
}
