import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  AdoptRequest,
  CommandDone,
  ProbesAsked,
  RetryRequest,
  RevertDone,
  RevertRequest,
  SyncAsked,
} from '../../shared/contracts/api-commands.ts';
import { apiPrefix } from '../../shared/contracts/api-common.ts';
import { parseHostName, parseRevision } from '../../shared/domain/names.ts';
import type { FleetBackend } from './backend.ts';
import { answers, onlyTheLeader } from './only-the-leader.ts';

const HostParams = z.object({ host: z.string() });

/** What people may ask for. Only the leader does it; every act is answered after it is durable. */
export async function commandRoutes(
  root: FastifyInstance,
  deps: { readonly backend: FleetBackend; readonly now: () => number },
): Promise<void> {
  const { backend } = deps;
  const app = root.withTypeProvider<ZodTypeProvider>();
  onlyTheLeader(app, backend);

  app.post(
    `${apiPrefix}/sync`,
    { schema: { summary: 'Look at the repository now', response: answers(SyncAsked) } },
    async (request) => {
      // Before it: the look may begin at once, and one that began no earlier than this is the answer.
      const at = deps.now();
      await backend.sync({ cause: 'command', actor: request.actor });
      return { accepted: true as const, at };
    },
  );
  app.post(
    `${apiPrefix}/probe`,
    { schema: { summary: 'Probe every host now', response: answers(ProbesAsked) } },
    async () => ({ accepted: true as const, at: await backend.probe() }),
  );
  app.post(
    `${apiPrefix}/retry`,
    {
      schema: {
        summary: 'Forget remembered failures of a host, or of the fleet',
        body: RetryRequest,
        response: answers(CommandDone),
      },
    },
    async (request) => {
      const { host } = request.body;
      return backend.retry(host === undefined ? undefined : parseHostName(host), request.actor);
    },
  );
  app.post(
    `${apiPrefix}/hosts/:host/adopt`,
    {
      schema: {
        summary: 'Make this Varve the owner of a host',
        params: HostParams,
        body: AdoptRequest,
        response: answers(CommandDone),
      },
    },
    async (request) => backend.adopt(parseHostName(request.params.host), request.body, request.actor),
  );
  app.post(
    `${apiPrefix}/revert`,
    {
      schema: {
        summary: 'Make and push a commit that undoes a revision',
        body: RevertRequest,
        response: answers(RevertDone),
      },
    },
    async (request) => backend.revert(parseRevision(request.body.revision), request.actor),
  );
}
