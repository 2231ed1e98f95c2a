import { z } from 'zod';
import { Count, DeploymentId, HostName } from './domain.ts';

/** A job as it lies in the queue: keys only. */
export const Job = z.discriminatedUnion('step', [
  z.object({ step: z.literal('evaluate'), key: z.string(), epoch: Count, n: Count }),
  z.object({ step: z.literal('probe'), host: HostName, epoch: Count, n: Count }),
  z.object({
    step: z.enum(['deliver', 'activate']),
    deployment: DeploymentId,
    host: HostName,
    epoch: Count,
    n: Count,
  }),
]);
