import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  ApproveRequest,
  CommandDone,
  HoldRequest,
  OverrideRequest,
  ReleaseRequest,
  RollbackDone,
  RollbackRequest,
  SuspendRequest,
} from '../../shared/contracts/api-commands.ts';
import { apiPrefix } from '../../shared/contracts/api-common.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { parseHostName } from '../../shared/domain/names.ts';
import type { FleetBackend } from './backend.ts';
import { mustAllow } from './guard.ts';
import { answers, onlyTheLeader } from './only-the-leader.ts';

/** What people decide about hosts, groups and the whole fleet; every word of it is durable when it is answered. */
export async function peopleRoutes(
  root: FastifyInstance,
  deps: { readonly backend: FleetBackend; readonly now: () => number },
): Promise<void> {
  const { backend } = deps;
  const app = root.withTypeProvider<ZodTypeProvider>();
  const response = answers(CommandDone);
  onlyTheLeader(app, backend);

  app.post(
    `${apiPrefix}/hold`,
    { schema: { summary: 'Leave a host, a group or the fleet as it is', body: HoldRequest, response } },
    async ({ body, actor }) => {
      mustBeAhead(body.until, deps.now());
      return backend.hold(body, actor);
    },
  );
  app.post(
    `${apiPrefix}/release`,
    { schema: { summary: 'End a hold', body: ReleaseRequest, response } },
    async ({ body, actor }) => backend.release(body, actor),
  );
  app.post(
    `${apiPrefix}/suspend`,
    { schema: { summary: 'Begin nothing anywhere', body: SuspendRequest, response } },
    async ({ body, actor }) => backend.suspend(body, actor),
  );
  app.post(
    `${apiPrefix}/resume`,
    { schema: { summary: 'End the suspension of everything', response } },
    async ({ actor }) => backend.resume(actor),
  );
  app.post(
    `${apiPrefix}/override`,
    { schema: { summary: 'Let closed windows and freezes not count', body: OverrideRequest, response } },
    async ({ body, actor }) => {
      mustBeAhead(body.until, deps.now());
      return backend.override(body, actor);
    },
  );
  app.post(
    `${apiPrefix}/approve`,
    { schema: { summary: 'Let a release into a wave or a group', body: ApproveRequest, response } },
    async ({ body, actor }) => backend.approve(body, actor),
  );
  app.post(
    `${apiPrefix}/hosts/:host/rollback`,
    {
      schema: {
        summary: 'Return a host to what ran there before, and hold it',
        params: z.object({ host: z.string() }),
        body: RollbackRequest,
        response: answers(RollbackDone),
      },
    },
    async ({ params, body, actor, right }) => {
      // Making a commit takes the same right here as by itself.
      if (body.revert) mustAllow(right, 'admin');
      mustBeAhead(body.until, deps.now());
      return backend.rollback(parseHostName(params.host), body, actor);
    },
  );
}

function mustBeAhead(until: number | undefined, now: number): void {
  if (until === undefined || until > now) return;
  throw new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: 'it would end in the past',
    hint: '`until` is in milliseconds since the epoch',
  });
}
