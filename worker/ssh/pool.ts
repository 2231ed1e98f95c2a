import { type Connection, connectionKey } from '../../shared/domain/fleet.ts';
import { unlessAborted, withinDeadline } from './patience.ts';
import type { Link } from './session.ts';
import { noAnswer } from './ssh-errors.ts';

/** One user's share of a connection. */
export interface Lent {
  readonly link: Link;
  giveBack(): void;
}

/** Connections that several use at a time, each kept for a while after its last user. */
export interface Pool {
  /** @throws FleetError what `open` throws; CANCELLED; HOST_UNREACHABLE at the deadline */
  lend(
    connection: Connection,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Lent>;
  /** Keeps none any longer. To end those that are open is left to the caller. */
  close(): void;
}

interface Entry {
  readonly opening: Promise<Link>;
  link: Link | undefined;
  users: number;
  idle: NodeJS.Timeout | undefined;
}

export function createPool(
  open: (connection: Connection, options: { readonly deadlineMs: number }) => Promise<Link>,
  idleMs: number,
): Pool {
  const entries = new Map<string, Entry>();

  function drop(key: string, entry: Entry): void {
    if (entries.get(key) === entry) entries.delete(key);
  }

  function add(key: string, connection: Connection, deadlineMs: number): Entry {
    // Without the first one's signal: others may be waiting for the same connection.
    const entry: Entry = {
      opening: open(connection, { deadlineMs }),
      link: undefined,
      users: 0,
      idle: undefined,
    };
    entries.set(key, entry);
    entry.opening.then(
      (link) => void (entry.link = link),
      () => drop(key, entry),
    );
    return entry;
  }

  function leave(key: string, entry: Entry): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    const end = (): void => {
      drop(key, entry);
      entry.opening.then(
        (link) => link.close(),
        () => {},
      );
    };
    if (entries.get(key) !== entry || entry.link?.isOpen() === false) end();
    else entry.idle = setTimeout(end, idleMs).unref();
  }

  return {
    async lend(connection, { deadlineMs, signal }) {
      const key = connectionKey(connection);
      const found = entries.get(key);
      // It died since it was last used, or takes no more: who has it may end with it, who comes now gets another.
      const usable = found?.link === undefined || (found.link.isOpen() && !found.link.isFull());
      if (found !== undefined && !usable) drop(key, found);
      const joined = found !== undefined && usable;
      const entry = joined ? found : add(key, connection, deadlineMs);
      clearTimeout(entry.idle);
      entry.users += 1;
      try {
        const opened = joined
          ? withinDeadline(entry.opening, deadlineMs, () => noAnswer(connection, deadlineMs))
          : entry.opening;
        const link = await unlessAborted(opened, signal);
        let given = false;
        return {
          link,
          giveBack() {
            if (given) return;
            given = true;
            leave(key, entry);
          },
        };
      } catch (thrown) {
        leave(key, entry);
        throw thrown;
      }
    },
    close() {
      for (const entry of entries.values()) clearTimeout(entry.idle);
      entries.clear();
    },
  };
}
