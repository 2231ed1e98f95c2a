import type { DrvPath } from '../../shared/domain/names.ts';
import { buildError } from './build-errors.ts';
import type { BuildLog } from './build-log.ts';

/** One process that builds, as those see it who need some of the same. */
export interface BuildSession {
  readonly needs: ReadonlySet<string>;
  readonly log: BuildLog;
  /** Settles with the process, and never rejects. */
  readonly over: Promise<void>;
  /** Called whenever a build has ended or failed, until what it returns is called. */
  listen(look: () => void): () => void;
}

/** @throws FleetError of the build that failed there and is needed here */
export function refuseFailed(session: BuildSession, needs: ReadonlySet<string>, drvPath: DrvPath): void {
  for (const failed of session.log.failures().values()) {
    if (needs.has(failed.drvPath)) throw buildError(failed, drvPath);
  }
}

/**
 * Until the session is done with all that is needed here as well, or one of it has failed: what else it builds may
 * take hours. `again`: it was waited for before, and what it is done with is needed all the same, so that its end is
 * waited for, which tells why.
 */
export async function untilShared(
  session: BuildSession,
  needs: ReadonlySet<string>,
  again: boolean,
): Promise<void> {
  const shared = [...needs].filter((drvPath) => session.needs.has(drvPath));
  const isDone = (): boolean => {
    const failures = session.log.failures();
    return (
      shared.every((drvPath) => session.log.ended.has(drvPath)) ||
      shared.some((drvPath) => failures.has(drvPath))
    );
  };
  if (isDone()) return again ? session.over : undefined;
  let stop = (): void => {};
  const done = new Promise<void>((resolve) => {
    stop = session.listen(() => isDone() && resolve());
  });
  try {
    await Promise.race([done, session.over]);
  } finally {
    stop();
  }
}
