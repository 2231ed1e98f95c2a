import { z } from 'zod';
import { DeploymentId, HostName, Instant } from '../../contracts/domain.ts';
import type { Cursor } from '../ports/deployment-log.ts';
import type { EventStream, Happening, StreamedEvent } from '../ports/event-stream.ts';
import type { Redactor } from '../redact.ts';
import { createBatch } from './batch.ts';
import type { RedisConnections } from './client.ts';
import { talking } from './errors.ts';
import { keysOf } from './keys.ts';
import { follow, parseCursor, readStream } from './stream.ts';

export interface RedisEventStreamDeps {
  readonly redis: RedisConnections;
  readonly fleet: string;
  readonly redact: Redactor;
  /** How many events are kept. */
  readonly most?: number;
}

const pageSize = 500;

const Event = z.object({
  kind: z.string(),
  at: Instant,
  host: z.exactOptional(HostName),
  deployment: z.exactOptional(DeploymentId),
  text: z.string(),
}) satisfies z.ZodType<Happening>;

/** One Redis stream for a fleet's events. */
export function createRedisEventStream(deps: RedisEventStreamDeps): EventStream {
  const redis = deps.redis.commands;
  const stream = keysOf(deps.fleet)('events');
  const channel = `${stream}:changed`;
  const most = deps.most ?? 10_000;

  const batch = createBatch<Happening>({
    redis: deps.redis,
    everyMs: 20,
    most: 2_000,
    write(events, _dropped, pipeline) {
      for (const event of events) {
        pipeline.xadd(stream, 'MAXLEN', most, '*', 'event', JSON.stringify(z.encode(Event, event)));
      }
      pipeline.publish(channel, '');
    },
  });

  async function page(
    after: Cursor | undefined,
    limit: number,
  ): Promise<{ last: Cursor | undefined; events: StreamedEvent[] }> {
    const entries = await readStream(redis, stream, after, limit);
    const events = entries.flatMap(({ id, fields }) => {
      // One that another version wrote is no reason to show none.
      const event = Event.safeParse(JSON.parse(fields.get('event') ?? 'null'));
      return event.success ? [{ ...event.data, id }] : [];
    });
    return { last: entries.at(-1)?.id, events };
  }

  return {
    append(event) {
      batch.add({ ...event, text: deps.redact(event.text) });
    },
    flush: () => batch.flush(),
    read: async (after, limit) => (await page(after, limit)).events,
    async newest() {
      const [last] = await talking(() => redis.xrevrange(stream, '+', '-', 'COUNT', 1));
      return last?.[0];
    },
    async follow(after, onEvents) {
      let cursor = after === undefined ? undefined : parseCursor(after);
      return follow(deps.redis.subscriptions, channel, async () => {
        for (;;) {
          const { last, events } = await page(cursor, pageSize);
          if (last === undefined) return;
          cursor = last;
          if (events.length > 0) onEvents(events);
        }
      });
    },
    close: () => batch.close(),
  };
}
