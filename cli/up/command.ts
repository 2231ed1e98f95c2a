import { parseRedisAddress } from '../../shared/platform/redis/client.ts';
import { startEmbeddedRedis } from '../../shared/platform/redis/embedded.ts';
import { type ProgramDeps, textOf } from '../define/common.ts';
import type { ExitCode } from '../exit-codes.ts';
import { defaultDataFolder, parseListen } from './data-folder.ts';
import { startExample } from './example.ts';
import { programArgv } from './programs.ts';
import { isExample, runUp, socketOf } from './up.ts';

/** `varve up` with what this machine has: the built programs, a real Redis, the example fleet. */
export async function upCommand(
  options: Readonly<Record<string, unknown>>,
  deps: ProgramDeps,
): Promise<ExitCode> {
  const redis = textOf(options['redis']);
  // Refused here, before anything is started.
  if (redis !== undefined) parseRedisAddress(redis);
  const identities = options['identity'];
  const repo = textOf(options['repo']);
  const config = textOf(options['config']);
  const usual = defaultDataFolder(deps.env, process.getuid?.());
  return runUp(
    {
      repo,
      ref: textOf(options['ref']) ?? 'main',
      // The example begins anew each time: nothing of it lies among what is to be kept.
      data: textOf(options['data']) ?? (isExample({ repo, config }) ? `${usual}-example` : usual),
      listen: parseListen(textOf(options['listen']) ?? '127.0.0.1:7420'),
      identities: Array.isArray(identities) ? identities.map(String) : [],
      knownHosts: textOf(options['knownHosts']),
      redis,
      config,
    },
    {
      terminal: deps.terminal,
      env: deps.env,
      now: () => Date.now(),
      signal: deps.signal,
      controller: programArgv('controller'),
      worker: programArgv('worker'),
      startExample,
      async startRedis(folder, warn) {
        const said = (fields: object, message: string): void => warn(`${message} ${JSON.stringify(fields)}`);
        const logger = { debug: () => {}, info: () => {}, warn: said, error: said, child: () => logger };
        const embedded = await startEmbeddedRedis({ folder, logger, keepAlive: true });
        return { socket: socketOf(embedded.address), close: () => embedded.close() };
      },
    },
  );
}
