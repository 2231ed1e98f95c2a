import type { Failure } from '../../shared/domain/errors.ts';

/** When this worker tried in vain to get through to a host: what makes an unconfirmed host evidence. */
export interface Witness {
  /** A try that the host did not answer, from when to when. */
  triedInVain(from: number, until: number): void;
  /** Tries were made all through this time, but for gaps that no host could use to be reachable for good. */
  covers(from: number, until: number): boolean;
}

export function createWitness(): Witness {
  const tries: { readonly from: number; readonly until: number }[] = [];
  return {
    triedInVain(from, until) {
      tries.push({ from, until });
    },
    covers(from, until) {
      // A connection that dies unnoticed is found by its keepalives first, on a busy worker some seconds late: that
      // must fit in.
      const gap = Math.max(5_000, (until - from) / 4);
      let reached = from;
      for (const one of tries.toSorted((a, b) => a.from - b.from)) {
        if (one.from > reached + gap) return false;
        reached = Math.max(reached, one.until);
      }
      return reached >= until - gap && tries.length > 0;
    },
  };
}

/** What a broken host, network or sshd looks like from here. All else is our own trouble, and proves nothing. */
export function isHostsFault({ code, details }: Failure): boolean {
  // It was never asked: we could not, or the jump host on the way did not let us.
  if (details?.['where'] === 'worker' || details?.['where'] === 'jump') return false;
  switch (code) {
    case 'HOST_UNREACHABLE':
    case 'HOST_KEY_UNKNOWN':
    case 'HOST_KEY_MISMATCH':
    case 'HOST_AUTH_FAILED':
      return true;
    default:
      return false;
  }
}
