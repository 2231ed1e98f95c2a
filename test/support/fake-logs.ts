import type { LogReader } from '../../controller/http/backend.ts';
import type { LogLine } from '../../shared/contracts/api-history.ts';
import { at, notFound } from './fake-fleet.ts';

/** Logs that a test writes line by line. */
export interface FakeLogs extends LogReader {
  write(id: string, line: string): void;
  end(id: string): void;
}

export function createFakeLogs(): FakeLogs {
  const logs = new Map<string, { lines: LogLine[]; complete: boolean; followers: Set<() => void> }>();
  function logOf(id: string) {
    const log = logs.get(id) ?? { lines: [], complete: false, followers: new Set() };
    logs.set(id, log);
    return log;
  }
  return {
    write(id, line) {
      const log = logOf(id);
      log.lines.push({ id: String(log.lines.length + 1), at, line });
      for (const follower of log.followers) follower();
    },
    // Nobody is told: the end is in the ledger, not in the log.
    end(id) {
      logOf(id).complete = true;
    },
    async read(id, after) {
      const log = logs.get(id);
      if (log === undefined) throw notFound(`deployment ${id} has no log`, undefined);
      return {
        lines: log.lines.filter((line) => Number(line.id) > Number(after ?? 0)),
        complete: log.complete,
      };
    },
    async follow(id, callback) {
      logOf(id).followers.add(callback);
      return async () => {
        logOf(id).followers.delete(callback);
      };
    },
  };
}
