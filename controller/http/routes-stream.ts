import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { apiPrefix } from '../../shared/contracts/api-common.ts';
import { LogView } from '../../shared/contracts/api-history.ts';
import { parseDeploymentId } from '../../shared/domain/names.ts';
import type { LogReader } from './backend.ts';
import type { EventHub } from './event-hub.ts';
import type { HttpLog } from './http-log.ts';
import { lastEventId, openEventStream } from './server-sent-events.ts';

const LogQuery = z.object({ follow: z.string().optional(), after: z.string().optional() });

export interface StreamDeps {
  readonly events: EventHub;
  readonly logs: LogReader;
  readonly logger: HttpLog;
  /** How often an idle stream says that it lives. */
  readonly pingMs?: number | undefined;
}

/** What happens, as it happens: events of the fleet, and lines of a deployment's log. */
export async function streamRoutes(root: FastifyInstance, deps: StreamDeps): Promise<void> {
  const app = root.withTypeProvider<ZodTypeProvider>();
  const streamOptions = deps.pingMs === undefined ? {} : { pingMs: deps.pingMs };

  app.get(
    `${apiPrefix}/events`,
    {
      schema: {
        summary: 'Server-sent events: each `data` is one event; `Last-Event-ID` replays what was missed',
        querystring: z.object({ after: z.string().optional() }),
      },
    },
    async (request, reply) => {
      const after = lastEventId(request.headers['last-event-id'], request.query.after);
      const stream = openEventStream(reply, streamOptions);
      const close = deps.events.subscribe(after, (event) => {
        stream.send({ id: event.id, name: event.happening.kind, data: event });
      });
      stream.onClose(close);
      return reply;
    },
  );

  app.get(
    `${apiPrefix}/deployments/:id/log`,
    {
      schema: {
        summary: 'The log of a deployment; with `follow` as server-sent events until it ends',
        params: z.object({ id: z.string() }),
        querystring: LogQuery,
      },
    },
    async (request, reply) => {
      const id = parseDeploymentId(request.params.id);
      const after = lastEventId(request.headers['last-event-id'], request.query.after);
      const slice = await deps.logs.read(id, after);
      if (request.query.follow === undefined || request.query.follow === 'false') {
        return LogView.parse({ deployment: id, complete: slice.complete, lines: slice.lines });
      }
      const stream = openEventStream(reply, streamOptions);
      let last = after;
      let reading = false;
      let again = false;

      /** Sends what is new; a call during a read leads to one more read. */
      async function pump(): Promise<void> {
        again = true;
        if (reading) return;
        reading = true;
        try {
          while (again) {
            again = false;
            const more = await deps.logs.read(id, last);
            for (const line of more.lines) {
              stream.send({ id: line.id, name: 'line', data: line });
              last = line.id;
            }
            if (more.complete) {
              stream.send({ id: last ?? '0', name: 'end', data: { deployment: id } });
              stream.end();
              return;
            }
          }
        } catch (thrown) {
          deps.logger.warn({ err: thrown, deployment: id }, 'log stream broken');
          stream.end();
        } finally {
          reading = false;
        }
      }

      // The end is no line of the log: it is in the ledger, which may have it later than the last line.
      stream.onClose(
        deps.events.subscribe(undefined, ({ happening }) => {
          if (happening.kind === 'deployment' && happening.deployment === id) void pump();
        }),
      );
      try {
        const unfollow = await deps.logs.follow(id, () => void pump());
        stream.onClose(
          () =>
            void unfollow().catch((thrown: unknown) =>
              deps.logger.warn({ err: thrown }, 'log not unfollowed'),
            ),
        );
      } catch (thrown) {
        deps.logger.warn({ err: thrown, deployment: id }, 'log stream broken');
        stream.end();
        return reply;
      }
      await pump();
      return reply;
    },
  );
}
