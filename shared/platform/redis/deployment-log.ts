import { z } from 'zod';
import type { DeploymentId } from '../../domain/names.ts';
import type { DeploymentLog, LogPage } from '../ports/deployment-log.ts';
import type { Progress } from '../ports/steps.ts';
import type { Clock } from '../ports/clock.ts';
import type { Redactor } from '../redact.ts';
import { createBatch } from './batch.ts';
import type { RedisConnections } from './client.ts';
import { talking } from './errors.ts';
import { keysOf } from './keys.ts';
import { plainLines } from '../plain-lines.ts';
import { follow, parseCursor, readStream } from './stream.ts';

export interface RedisDeploymentLogDeps {
  readonly redis: RedisConnections;
  readonly fleet: string;
  readonly clock: Clock;
  readonly redact: Redactor;
}

const mostLines = 10_000;
const mostBytes = 4_096;
const keptMs = 7 * 24 * 60 * 60 * 1_000;
const pageSize = 500;

const Share = { done: z.number(), total: z.number() };
const ToldProgress = z.object({
  what: z.string(),
  ...Share,
  paths: z.object(Share).exactOptional(),
  at: z.number(),
});

type Item =
  | { readonly kind: 'line'; readonly deployment: DeploymentId; readonly at: number; readonly line: string }
  | {
      readonly kind: 'progress';
      readonly deployment: DeploymentId;
      readonly at: number;
      readonly progress: Progress;
    };

/** One Redis stream for each deployment, and its last progress beside it; both vanish by themselves. */
export function createRedisDeploymentLog(deps: RedisDeploymentLogDeps): DeploymentLog {
  const { clock, redact } = deps;
  const redis = deps.redis.commands;
  const key = keysOf(deps.fleet);
  const linesOf = (deployment: DeploymentId) => key(`log:${deployment}`);
  const progressOf = (deployment: DeploymentId) => key(`progress:${deployment}`);
  const channelOf = (deployment: DeploymentId) => `${linesOf(deployment)}:changed`;

  const batch = createBatch<Item>({
    redis: deps.redis,
    everyMs: 100,
    most: 5_000,
    write(items, dropped, pipeline) {
      const add = (deployment: DeploymentId, at: number, line: string) =>
        pipeline.xadd(linesOf(deployment), 'MAXLEN', mostLines, '*', 'at', at, 'line', line);
      const touched = new Set<DeploymentId>();
      const progress = new Map<DeploymentId, string>();
      for (const item of items) {
        if (dropped > 0 && !touched.has(item.deployment)) {
          add(item.deployment, item.at, '(some lines are missing: the log was away or could not keep up)');
        }
        touched.add(item.deployment);
        if (item.kind === 'line') add(item.deployment, item.at, item.line);
        else progress.set(item.deployment, JSON.stringify({ ...item.progress, at: item.at }));
      }
      for (const deployment of touched) pipeline.pexpire(linesOf(deployment), keptMs);
      for (const [deployment, text] of progress) pipeline.set(progressOf(deployment), text, 'PX', keptMs);
      for (const deployment of touched) pipeline.publish(channelOf(deployment), '');
    },
  });

  async function read(deployment: DeploymentId, after: string | undefined, limit: number): Promise<LogPage> {
    const [entries, progress] = await Promise.all([
      readStream(redis, linesOf(deployment), after, limit),
      talking(() => redis.get(progressOf(deployment))),
    ]);
    return {
      entries: entries.map(({ id, fields }) => ({
        id,
        at: Number(fields.get('at')),
        line: fields.get('line') ?? '',
      })),
      progress: progress === null ? undefined : ToldProgress.parse(JSON.parse(progress)),
    };
  }

  return {
    append(deployment, text) {
      const at = clock.now();
      // Before it is cut: half a secret would not be recognised.
      for (const line of plainLines(redact(text), mostBytes))
        batch.add({ kind: 'line', deployment, at, line });
    },
    progress(deployment, progress) {
      const [what = ''] = plainLines(redact(progress.what), 200);
      batch.add({ kind: 'progress', deployment, at: clock.now(), progress: { ...progress, what } });
    },
    flush: () => batch.flush(),
    read,
    async follow(deployment, after, onPage) {
      let cursor = after === undefined ? undefined : parseCursor(after);
      let toldProgress = '';
      return follow(deps.redis.subscriptions, channelOf(deployment), async () => {
        for (;;) {
          const page = await read(deployment, cursor, pageSize);
          const progress = JSON.stringify(page.progress) ?? '';
          if (page.entries.length === 0 && progress === toldProgress) return;
          cursor = page.entries.at(-1)?.id ?? cursor;
          toldProgress = progress;
          onPage(page);
        }
      });
    },
    close: () => batch.close(),
  };
}
