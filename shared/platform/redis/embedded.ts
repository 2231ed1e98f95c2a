import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { FleetError } from '../../domain/errors.ts';
import type { Logger } from '../logger.ts';
import { findServer, firstOnPath } from './server-program.ts';

export interface EmbeddedRedisDeps {
  /** Where its data and its socket live; made if it is not there. One Redis at a time per folder. */
  readonly folder: string;
  readonly logger: Logger;
  /** Where the server's program is looked for. Defaults to the process's own PATH. */
  readonly path?: string;
  /** Start it again, with back-off, whenever it dies unasked. */
  readonly keepAlive?: boolean;
}

export interface EmbeddedRedis {
  /** For `parseRedisAddress`. */
  readonly address: string;
  /** The present server's process; `undefined` between two lives. */
  pid(): number | undefined;
  /** Resolves when the present server has ended, however it did. */
  ended(): Promise<void>;
  /** Ends it, its data kept; by force after a few seconds. */
  close(): Promise<void>;
}

/** The kernel's limit for a socket's path, less the closing zero. */
const longestSocketPath = 107;

/**
 * Starts a private Redis: no port, a socket that only this user can open, every write in an append-only file.
 *
 * @throws FleetError PROGRAM_MISSING without a server's program on PATH; CONFLICT when another one uses the folder;
 *   STORE_UNAVAILABLE when it does not come up
 */
export async function startEmbeddedRedis(deps: EmbeddedRedisDeps): Promise<EmbeddedRedis> {
  const path = deps.path ?? process.env['PATH'] ?? '';
  const program = await findServer(path);
  const setpriv = await firstOnPath(['setpriv'], path);

  await mkdir(deps.folder, { recursive: true, mode: 0o700 });
  await chmod(deps.folder, 0o700);
  await noOtherServer(deps.folder, 5_000);
  const socket = await socketIn(deps.folder);
  const argv = [
    // The server must not outlive us, even if we are killed: the kernel ends it with the thread that started it
    // (so not from a worker thread that is to end before us). Elsewhere than on Linux it stays
    // behind after a kill, and the next start says so.
    ...(setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'TERM']),
    program,
    ...settings(deps.folder, socket.path),
  ];

  let closing = false;
  let life = await launch(argv, socket.path);
  const supervised = deps.keepAlive === true ? supervise() : undefined;

  async function supervise(): Promise<void> {
    for (let fast = 0; ;) {
      const since = performance.now();
      const end = await life.ended;
      if (closing) return;
      fast = performance.now() - since > 60_000 ? 0 : fast + 1;
      deps.logger.warn({ ...end, attempt: fast }, 'embedded redis has ended; it is started again');
      for (;;) {
        await pause(Math.min(50 * 2 ** Math.min(fast, 8), 10_000));
        if (closing) return;
        try {
          life = await launch(argv, socket.path);
          break;
        } catch (err) {
          fast += 1;
          deps.logger.error({ err, attempt: fast }, 'embedded redis does not start');
        }
      }
    }
  }

  return {
    address: `unix:${socket.path}`,
    pid: () => (life.child.exitCode === null && life.child.signalCode === null ? life.child.pid : undefined),
    ended: async () => void (await life.ended),
    async close() {
      closing = true;
      await stop(life);
      await supervised;
      // It may have been started once more while we were asking the one before to end.
      await stop(life);
      await socket.remove();
    },
  };
}

function settings(folder: string, socket: string): readonly string[] {
  return Object.entries({
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    dir: folder,
    pidfile: pidFile(folder),
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    loglevel: 'warning',
    daemonize: 'no',
  }).flatMap(([name, value]) => [`--${name}`, value]);
}

function pidFile(folder: string): string {
  return join(folder, 'redis.pid');
}

/** In the folder, or in a short private one where the folder's own path is too long for a socket. */
async function socketIn(folder: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = join(folder, 'redis.sock');
  if (Buffer.byteLength(path) <= longestSocketPath) {
    return { path, remove: () => rm(path, { force: true }) };
  }
  const short = await mkdtemp(join(tmpdir(), 'varve-'));
  return { path: join(short, 'redis.sock'), remove: () => rm(short, { recursive: true, force: true }) };
}

interface Life {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly exit: number | null; readonly signal: string | null }>;
}

async function launch(argv: readonly string[], socket: string): Promise<Life> {
  const [command = '', ...args] = argv;
  // Not in our process group: a Ctrl-C at the terminal is for us, and we end it in our own order.
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: {} });
  let tail = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-4_096);
    });
  }
  const ended = new Promise<Awaited<Life['ended']>>((resolve) => {
    child.once('error', (error) => {
      tail += error.message;
      resolve({ exit: null, signal: null });
    });
    child.once('exit', (exit, signal) => resolve({ exit, signal }));
  });
  const life = { child, ended };

  let over = false;
  void ended.then(() => {
    over = true;
  });
  const deadline = performance.now() + 30_000;
  while (!(await answers(socket))) {
    if (over || performance.now() > deadline) {
      await stop(life);
      throw new FleetError({
        code: 'STORE_UNAVAILABLE',
        disposition: 'transient',
        message: `the embedded Redis does not start: ${tail.trim().split('\n').at(-1) ?? ''}`,
        hint: 'look at what it says, and at the space and the rights in its data folder',
        details: { output: tail },
      });
    }
    await pause(10);
  }
  return life;
}

/** True when a server behind the socket has loaded its data and takes commands. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    const say = (answer: boolean) => {
      connection.destroy();
      resolve(answer);
    };
    connection.setTimeout(1_000, () => say(false));
    connection.once('error', () => say(false));
    connection.once('data', (data) => say(data.toString('latin1').startsWith('+PONG')));
    connection.once('connect', () => connection.write('PING\r\n'));
  });
}

async function stop(life: Life): Promise<void> {
  life.child.kill('SIGTERM');
  const force = setTimeout(() => life.child.kill('SIGKILL'), 5_000);
  await life.ended;
  clearTimeout(force);
}

/** The server of a parent that was killed just now is still writing its file: two must never share a folder. */
async function noOtherServer(folder: string, patienceMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const pid = await serverOf(folder);
    if (pid === undefined) return;
    if (performance.now() > deadline) {
      throw new FleetError({
        code: 'CONFLICT',
        disposition: 'stalled',
        message: `a Redis server (process ${pid}) already uses ${folder}`,
        hint: `stop the Varve that runs there; if none does, end it with \`kill ${pid}\``,
      });
    }
    await pause(50);
  }
}

async function serverOf(folder: string): Promise<number | undefined> {
  const text = await readFile(pidFile(folder), 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  try {
    process.kill(pid, 0);
  } catch {
    return undefined;
  }
  // The number may belong to another program since. Where there is no /proc, a socket that answers decides.
  const program = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => undefined);
  if (program !== undefined) return /redis|valkey|keydb/.test(program) ? pid : undefined;
  return (await answers(join(folder, 'redis.sock'))) ? pid : undefined;
}
