import { fileURLToPath } from 'node:url';
import { createTerminal } from '../../cli/terminal.ts';
import { runUp } from '../../cli/up/up.ts';

/**
 * `varve up` with programs that pretend: `node fake-up-main.ts <port> <data folder>`. The worker is a program that
 * dies when it is told to (SIGUSR1), and otherwise waits.
 */
const [port = '7420', data = '/tmp'] = process.argv.slice(2);
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
const fakeController = fileURLToPath(new URL('./fake-controller-main.ts', import.meta.url));

process.exitCode = await runUp(
  {
    repo: '/srv/git/fleet.git',
    ref: 'main',
    data,
    listen: { address: '127.0.0.1', port: Number(port) },
    identities: [],
    knownHosts: undefined,
    redis: undefined,
    config: undefined,
  },
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
    startRedis: (folder) =>
      Promise.resolve({ socket: `${folder}/redis.sock`, close: () => Promise.resolve() }),
  },
);
