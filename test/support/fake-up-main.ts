import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { createTerminal } from '../../cli/terminal.ts';
import { upSettings } from '../../cli/up/settings.ts';
import { runUp } from '../../cli/up/up.ts';

/**
 * `varve up` with programs that pretend: `node fake-up-main.ts <options as JSON>`. The worker is a program that
 * dies when it is told to (SIGUSR1), and otherwise waits.
 */
const Given = z.object({
  repo: z.string().optional(),
  data: z.string().optional(),
  listen: z.object({ address: z.string(), port: z.number() }).optional(),
  redis: z.string().optional(),
  config: z.string().optional(),
});
const { repo, data, listen, redis, config } = Given.parse(JSON.parse(process.argv[2] ?? '{}'));
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
const fakeController = fileURLToPath(new URL('./fake-controller-main.ts', import.meta.url));

process.exitCode = await runUp(
  upSettings(
    { repo, ref: undefined, data, listen, identities: [], knownHosts: undefined, redis, config },
    process.env,
    0,
  ),
  {
    terminal: createTerminal({ stdout: process.stdout, stderr: process.stderr, env: process.env }),
    env: process.env,
    now: () => Date.now(),
    signal: stop.signal,
    controller: [process.execPath, '--import', 'tsx', fakeController],
    worker: [
      process.execPath,
      '-e',
      'process.on("SIGTERM", () => process.exit(0)); process.on("SIGUSR1", () => process.exit(3)); console.log(JSON.stringify({ level: "info", env: process.env })); setInterval(() => {}, 1000)',
    ],
    startExample: () => Promise.reject(new Error('not asked for')),
    startRedis: (folder) => {
      process.stdout.write('a private Redis is started\n');
      return Promise.resolve({ socket: `${folder}/redis.sock`, close: () => Promise.resolve() });
    },
  },
);
