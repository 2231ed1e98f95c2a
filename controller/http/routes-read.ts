import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ErrorAnswer, apiPrefix } from '../../shared/contracts/api-common.ts';
import { DiffView, FleetHistory, HostHistory, Shown } from '../../shared/contracts/api-history.ts';
import { PlanView, Status, Why } from '../../shared/contracts/api.ts';
import { parseDeploymentId, parseHostName, parseRevision } from '../../shared/domain/names.ts';
import type { FleetBackend } from './backend.ts';

const HostParams = z.object({ host: z.string() });
const Limit = z.object({ limit: z.coerce.number().int().min(1).max(1_000).default(20) });

/** What may be read. Nothing here changes anything, so a standby answers too. */
export async function readRoutes(root: FastifyInstance, backend: FleetBackend): Promise<void> {
  const app = root.withTypeProvider<ZodTypeProvider>();
  const answers = <Schema extends z.ZodType>(schema: Schema) => ({
    200: schema,
    default: ErrorAnswer,
  });

  app.get(
    `${apiPrefix}/status`,
    { schema: { summary: 'The whole fleet at a glance', response: answers(Status) } },
    () => backend.status(),
  );
  app.get(
    `${apiPrefix}/plan`,
    { schema: { summary: 'What the next pass would do', response: answers(PlanView) } },
    () => backend.plan(),
  );
  app.get(
    `${apiPrefix}/history`,
    {
      schema: {
        summary: 'Observations of the fleet and acts of people, newest first',
        querystring: Limit,
        response: answers(FleetHistory),
      },
    },
    (request) => backend.fleetHistory(request.query.limit),
  );
  app.get(
    `${apiPrefix}/hosts/:host/why`,
    { schema: { summary: 'Why a host is what it is', params: HostParams, response: answers(Why) } },
    async (request) => backend.why(parseHostName(request.params.host)),
  );
  app.get(
    `${apiPrefix}/hosts/:host/history`,
    {
      schema: {
        summary: 'Generations of a host, newest first, failed and unchanged ones included',
        params: HostParams,
        querystring: Limit,
        response: answers(HostHistory),
      },
    },
    async (request) => backend.hostHistory(parseHostName(request.params.host), request.query.limit),
  );
  app.get(
    `${apiPrefix}/hosts/:host/diff`,
    {
      schema: {
        summary: 'Packages and sizes between two revisions of a host',
        params: HostParams,
        querystring: z.object({ from: z.string(), to: z.string() }),
        response: answers(DiffView),
      },
    },
    async (request) =>
      backend.diff(
        parseHostName(request.params.host),
        parseRevision(request.query.from),
        parseRevision(request.query.to),
      ),
  );
  app.get(
    `${apiPrefix}/deployments/:id`,
    {
      schema: {
        summary: 'Everything about a deployment',
        params: z.object({ id: z.string() }),
        response: answers(Shown),
      },
    },
    async (request) => backend.showDeployment(parseDeploymentId(request.params.id)),
  );
  app.get(
    `${apiPrefix}/revisions/:revision`,
    {
      schema: {
        summary: 'A revision, and what became of it on every host',
        params: z.object({ revision: z.string() }),
        response: answers(Shown),
      },
    },
    async (request) => backend.showRevision(parseRevision(request.params.revision)),
  );
}
