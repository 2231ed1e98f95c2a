/* A worker process for the queue's contract: takes jobs, says which, and ends them only when a line comes in. */
import { jobId } from '../../shared/platform/ports/job-queue.ts';
import { connectRedis, parseRedisAddress } from '../../shared/platform/redis/client.ts';
import { createBullQueue } from '../../shared/platform/redis/queue.ts';
import { quiet } from '../support/redis.ts';

const [address = '', fleet = '', step, lockMs, stalledEveryMs] = process.argv.slice(2);
if (step !== 'evaluate' && step !== 'deliver' && step !== 'activate' && step !== 'probe') {
  throw new Error('the third argument is a step');
}

let open = false;
const waiting: (() => void)[] = [];
process.stdin.on('data', () => {
  open = true;
  for (const go of waiting) go();
});

const redis = connectRedis({ address: parseRedisAddress(address), logger: quiet, name: 'doomed' });
const queue = createBullQueue({
  redis,
  fleet,
  logger: quiet,
  lockMs: Number(lockMs),
  stalledEveryMs: Number(stalledEveryMs),
});
await queue.consume(step, 10, async (job) => {
  process.stdout.write(`${jobId(job)}\n`);
  if (!open) await new Promise<void>((resolve) => waiting.push(resolve));
});
process.stdout.write('ready\n');
