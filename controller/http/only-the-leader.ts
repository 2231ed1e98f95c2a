import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { ErrorAnswer } from '../../shared/contracts/api-common.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { FleetBackend } from './backend.ts';

/** A standby refuses every command of these routes, and says who leads. */
export function onlyTheLeader(app: FastifyInstance, backend: FleetBackend): void {
  app.addHook('preHandler', async () => {
    const leadership = backend.leadership();
    if (leadership.kind === 'standby') throw notLeader(leadership.leader);
  });
}

/** What a command's route answers with. */
export function answers<Schema extends z.ZodType>(
  schema: Schema,
): { 200: Schema; default: typeof ErrorAnswer } {
  return { 200: schema, default: ErrorAnswer };
}

function notLeader(leader: string | undefined): FleetError {
  return new FleetError({
    code: 'NOT_LEADER',
    disposition: 'transient',
    message: 'this controller stands by: commands go to the leader',
    hint: leader === undefined ? 'try again in a moment: a leader is being chosen' : `ask ${leader}`,
    ...(leader === undefined ? {} : { details: { leader } }),
  });
}
