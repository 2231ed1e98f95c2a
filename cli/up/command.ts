import { parseRedisAddress } from '../../shared/platform/redis/client.ts';
import { startEmbeddedRedis } from '../../shared/platform/redis/embedded.ts';
import { type ProgramDeps, textOf } from '../define/common.ts';
import type { ExitCode } from '../exit-codes.ts';
import { parseListen } from './data-folder.ts';
import { startExample } from './example.ts';
import { programArgv } from './programs.ts';
import { upSettings } from './settings.ts';
import { runUp, socketOf } from './up.ts';

/** `varve up` with what this machine has: the built programs, a real Redis, the example fleet. */
export async function upCommand(
  options: Readonly<Record<string, unknown>>,
  deps: ProgramDeps,
): Promise<ExitCode> {
  const redis = textOf(options['redis']);
  // Refused here, before anything is started.
  if (redis !== undefined) parseRedisAddress(redis);
  const identities = options['identity'];
  const listen = textOf(options['listen']);
  const settings = upSettings(
    {
      repo: textOf(options['repo']),
      ref: textOf(options['ref']),
      data: textOf(options['data']),
      listen: listen === undefined ? undefined : parseListen(listen),
      identities: Array.isArray(identities) ? identities.map(String) : [],
      knownHosts: textOf(options['knownHosts']),
      redis,
      config: textOf(options['config']),
    },
    deps.env,
    process.getuid?.(),
  );
  return runUp(settings, {
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
  });
}
