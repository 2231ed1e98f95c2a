import type { HostContact } from '../../shared/domain/contact.ts';
import type { HostName } from '../../shared/domain/names.ts';

/** What the last looks at hosts said, as the store has them. */
export interface Looks {
  /** A probe's result reached the store. */
  contacted(contact: HostContact): void;
  /** The store lives another life: in that, nobody has been looked at. */
  begun(): void;
  /** It may have been away for who decided. */
  mayBeAway(host: HostName): boolean;
  /** It was away whichever of the last looks a decision was made by. */
  isAway(host: HostName): boolean;
  /** When the first look was asked for of those in vain since it answered last. */
  awaySince(host: HostName): number | undefined;
}

/** A decision may have been made by a look that another one has overtaken meanwhile. */
const looksKept = 3;

export function createLooks(): Looks {
  const kept = new Map<HostName, readonly HostContact['kind'][]>();
  const ofThisLife = new Map<HostName, readonly HostContact['kind'][]>();
  const add = (to: Map<HostName, readonly HostContact['kind'][]>, { host, kind }: HostContact): void => {
    to.set(host, [...(to.get(host) ?? []), kind].slice(-looksKept));
  };
  const since = new Map<HostName, number>();
  return {
    awaySince: (host) => since.get(host),
    contacted(contact) {
      if (contact.kind === 'reached') since.delete(contact.host);
      else since.set(contact.host, Math.min(since.get(contact.host) ?? Infinity, contact.askedAt));
      add(kept, contact);
      add(ofThisLife, contact);
    },
    begun: () => ofThisLife.clear(),
    mayBeAway: (host) => kept.get(host)?.includes('unreachable') ?? false,
    isAway(host) {
      const looks = ofThisLife.get(host) ?? [];
      return looks.length === looksKept && looks.every((kind) => kind === 'unreachable');
    },
  };
}
