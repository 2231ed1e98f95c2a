import type { FleetHappening } from '../shared/contracts/api-events.ts';
import { isTerminal, type Deployment } from '../shared/domain/deployment.ts';
import type { DeploymentId } from '../shared/domain/names.ts';
import type { DeploymentLog } from '../shared/platform/ports/deployment-log.ts';
import type { LogReader } from './http/backend.ts';
import type { Activity } from './views/context.ts';

/** The logs of deployments as the HTTP surface reads them. `ended` says whether anything can still be added. */
export function createLogReader(log: DeploymentLog, ended: (id: DeploymentId) => boolean): LogReader {
  return {
    async read(id, after) {
      // Asked before reading: what is written between the two is read, and more may come.
      const complete = ended(id);
      const { entries } = await log.read(id, after, 2_000);
      return { lines: entries, complete: complete && entries.length < 2_000 };
    },
    follow: (id, callback) => log.follow(id, undefined, () => callback()),
  };
}

export interface Activities {
  /** Follows these from here on, and no others. */
  follow(deployments: readonly Deployment[]): void;
  of(deployment: string): Activity | undefined;
  close(): Promise<void>;
}

/** What the deployments under way are doing: the last line and the progress that their worker told. */
export function createActivities(deps: {
  readonly log: DeploymentLog;
  readonly publish: (happening: FleetHappening) => void;
}): Activities {
  interface Followed {
    phase: Deployment['phase'];
    latest: Activity;
    close: Promise<(() => Promise<void>) | undefined>;
  }
  const followed = new Map<string, Followed>();

  function start({ id, host, phase }: Deployment): void {
    const entry: Followed = {
      phase,
      latest: { progress: undefined, line: undefined },
      close: Promise.resolve(undefined),
    };
    followed.set(id, entry);
    entry.close = deps.log
      .follow(id, undefined, (page) => {
        const told = page.progress;
        entry.latest = {
          progress:
            told === undefined
              ? entry.latest.progress
              : { what: told.what, done: told.done, total: told.total },
          line: page.entries.at(-1)?.line ?? entry.latest.line,
        };
        deps.publish({
          kind: 'progress',
          deployment: id,
          host,
          phase: entry.phase,
          progress: entry.latest.progress,
          activity: entry.latest.line,
        });
      })
      // The log is away: status goes without activities until the next deployment.
      .catch(() => undefined);
  }

  async function stop(id: string): Promise<void> {
    const entry = followed.get(id);
    followed.delete(id);
    const close = await entry?.close;
    await close?.().catch(() => {});
  }

  return {
    follow(deployments) {
      const wanted = new Map(
        deployments.filter((each) => !isTerminal(each)).map((each) => [each.id as string, each]),
      );
      for (const id of [...followed.keys()]) if (!wanted.has(id)) void stop(id);
      for (const [id, deployment] of wanted) {
        const known = followed.get(id);
        if (known === undefined) start(deployment);
        else known.phase = deployment.phase;
      }
    },
    of: (deployment) => followed.get(deployment)?.latest,
    async close() {
      await Promise.all([...followed.keys()].map(stop));
    },
  };
}
