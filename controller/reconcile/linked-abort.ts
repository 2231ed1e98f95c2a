export interface LinkedAbort {
  /** Aborts with the signal that it is linked to, or by itself. */
  readonly signal: AbortSignal;
  abort(): void;
  /** Unlinks it. To be called when nobody waits for it any more. */
  release(): void;
}

/**
 * A signal for a while within the life of a longer one. `AbortSignal.any` says the same, but on Node 20 the longer
 * signal keeps something of every one that was made of it: a controller makes one with every pass, for years.
 */
export function linkedAbort(to: AbortSignal): LinkedAbort {
  const own = new AbortController();
  const abort = (): void => own.abort();
  if (to.aborted) own.abort();
  else to.addEventListener('abort', abort, { once: true });
  return { signal: own.signal, abort, release: () => to.removeEventListener('abort', abort) };
}
