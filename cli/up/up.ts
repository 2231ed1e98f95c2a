import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Status } from '../../shared/contracts/api.ts';
import { ownUrl } from '../../shared/contracts/service-config.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { baseEnvironment } from '../../shared/platform/exec.ts';
import { createApiClient } from '../api-client.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { type Terminal, harmless } from '../terminal.ts';
import { clockTime, duration } from '../words.ts';
import { ensureInternalToken, type ListenPlace, mustBeFree, prepareDataFolder } from './data-folder.ts';
import type { ExampleDeps, RunningExample } from './example.ts';
import { fleetLines } from './fleet-lines.ts';
import { watchFleet } from './fleet-watch.ts';
import { createLiveBlock } from './live-block.ts';
import { createServiceLog } from './service-log.ts';
import { createStory } from './story.ts';
import { type Supervised, supervise } from './supervisor.ts';

export interface UpOptions {
  /** Without it (and without a configuration file) the example fleet is run. */
  readonly repo: string | undefined;
  readonly ref: string;
  readonly data: string;
  readonly listen: ListenPlace;
  readonly identities: readonly string[];
  readonly knownHosts: string | undefined;
  /** Theirs; without it an embedded one. */
  readonly redis: string | undefined;
  /** The service's configuration file; what is said on the command line stands above it. */
  readonly config: string | undefined;
}

/** A Redis of our own. */
export interface OwnRedis {
  readonly socket: string;
  close(): Promise<void>;
}

export interface UpDeps {
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  /** Aborts when the user wants to stop. */
  readonly signal: AbortSignal;
  readonly controller: readonly [string, ...string[]];
  readonly worker: readonly [string, ...string[]];
  startRedis(folder: string, warn: (text: string) => void): Promise<OwnRedis>;
  startExample(deps: ExampleDeps): Promise<RunningExample>;
}

const readyDeadlineMs = 60_000;
/** An activation that a worker is in the middle of may finish. */
const stopDeadlineMs = 30_000;

/** `varve up`: Redis, controller and worker on this machine, kept alive; live progress until it is told to stop. */
export async function runUp(options: UpOptions, deps: UpDeps): Promise<ExitCode> {
  const { terminal } = deps;
  await mustBeFree(options.listen);
  const closers: (() => Promise<void>)[] = [];
  const screen = createScreen(deps);
  try {
    const example = isExample(options)
      ? await deps.startExample({
          folder: resolve(options.data),
          url: ownUrl(options.listen),
          env: deps.env,
          terminal,
          signal: deps.signal,
          say: (text, grade) => screen.note(harmless(text), grade),
        })
      : undefined;
    if (example !== undefined) closers.push(() => example.close());
    const folder = await prepareDataFolder(options.data);
    const env = await serviceEnvironment(options, deps, folder, example, closers, screen);
    const services = (['controller', 'worker'] as const).map((name) => {
      const log = createServiceLog({
        file: join(folder, 'log', `${name}.log`),
        name,
        onNotable: (text, grade) => screen.note(harmless(text), grade),
      });
      const service = supervise({
        name,
        argv: deps[name],
        env,
        onLine: (line) => log.add(line),
        onDeath: ({ how, againInMs }) =>
          screen.note(`${name} ended (${how}); started again in ${duration(againInMs)}`, 'error'),
      });
      closers.push(async () => {
        await service.stop(stopDeadlineMs);
        await log.close();
      });
      return service;
    });
    await attend(options, deps, folder, example, services, screen);
    return exitCodes.ok;
  } finally {
    screen.close();
    if (closers.length > 0) terminal.aside(terminal.paint('dim', stoppingText(options)));
    // In reverse: the worker first, Redis after those who use it, the hosts last.
    for (const close of closers.toReversed()) await close();
  }
}

/** Without a repository of the user's own, and without a configuration that names one. */
export function isExample(options: Pick<UpOptions, 'repo' | 'config'>): boolean {
  return options.repo === undefined && options.config === undefined;
}

function stoppingText(options: UpOptions): string {
  return isExample(options)
    ? `stopping: the hosts go, the repository stays in ${resolve(options.data)} until the next start`
    : 'stopping: hosts keep what they run';
}

/** Runs until the user stops it or a service cannot go on. */
async function attend(
  options: UpOptions,
  deps: UpDeps,
  folder: string,
  example: RunningExample | undefined,
  services: readonly Supervised[],
  screen: Screen,
): Promise<void> {
  const { terminal } = deps;
  const url = ownUrl(options.listen);
  const token = deps.env['VARVE_TOKEN'];
  const api = createApiClient({ url, token, actor: undefined, deadlineMs: 5_000 });
  const stopped = new Promise<void>((resolve) => {
    if (deps.signal.aborted) resolve();
    deps.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const broken = Promise.race(services.map((service) => service.failed));
  const ready = await Promise.race([
    isReady(url, deps.signal),
    broken,
    stopped.then(() => 'stopped' as const),
  ]);
  if (ready === 'stopped') return;
  if (!ready)
    screen.note(`not ready after ${duration(readyDeadlineMs)}; see ${join(folder, 'log')}`, 'error');

  const urlArgument = url === 'http://127.0.0.1:7420' ? '' : ` --url ${url}`;
  screen.say(
    `${terminal.paint('bold', 'Varve')} is up at ${terminal.paint('cyan', url)}; its data and logs are in ${folder}`,
  );
  if (example === undefined) {
    screen.say(
      terminal.paint('dim', `look: varve${urlArgument} status | history | why <host>    stop: Ctrl-C`),
    );
  } else {
    screen.say(`${terminal.paint('bold', 'The config repository')} is ${example.workingCopy}`);
  }
  screen.say('');

  const ending = new AbortController();
  let instructions = example?.instructions ?? [];
  const story = createStory(terminal);
  const watching = watchFleet({
    api,
    signal: ending.signal,
    onStatus(status) {
      screen.status(status);
      // A person reads them once there is something to change: when the first deployments are over.
      if (instructions.length === 0 || !status.hosts.every(({ sync }) => sync === 'Synced')) return;
      if (status.hosts.length === 0) return;
      for (const line of ['', ...instructions, terminal.paint('dim', '  stop: Ctrl-C'), '']) screen.say(line);
      instructions = [];
    },
    onHappening(happening, at) {
      const line = story.tell(happening, at);
      if (line !== undefined) screen.happened(line, at);
    },
  });
  try {
    await Promise.race([stopped, broken]);
  } finally {
    ending.abort();
    // What only watches must not hold up the end, whatever its connection does.
    await Promise.race([watching, pause(2_000)]);
  }
}

/** Everything that controller and worker are told, above what is in a configuration file. */
async function serviceEnvironment(
  options: UpOptions,
  deps: UpDeps,
  folder: string,
  example: RunningExample | undefined,
  closers: (() => Promise<void>)[],
  screen: Screen,
): Promise<Readonly<Record<string, string>>> {
  const env: Record<string, string> = baseEnvironment(deps.env);
  for (const [name, value] of Object.entries(deps.env)) {
    if (name.startsWith('VARVE_') && value !== undefined) env[name] = value;
  }
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') env[name] = value;
  };
  set('VARVE_CONFIG', options.config);
  set('VARVE_REPOSITORY_URL', example?.repository ?? options.repo);
  if (options.repo !== undefined || example !== undefined)
    set('VARVE_REPOSITORY_REF', example?.ref ?? options.ref);
  set('VARVE_DATA_DIR', folder);
  set('VARVE_LISTEN_ADDRESS', options.listen.address);
  set('VARVE_LISTEN_PORT', String(options.listen.port));
  set('VARVE_CONTROLLER_URL', ownUrl(options.listen));
  set('VARVE_INTERNAL_TOKEN_FILE', await ensureInternalToken(folder));
  set('VARVE_IDENTITIES', options.identities.join(','));
  set('VARVE_KNOWN_HOSTS', options.knownHosts);
  for (const [name, value] of Object.entries(example?.env ?? {})) set(name, value);
  if (options.redis === undefined) {
    const redis = await deps.startRedis(join(folder, 'redis'), (text) => screen.note(text, 'warn'));
    closers.push(() => redis.close());
    set('VARVE_REDIS_SOCKET', redis.socket);
    delete env['VARVE_REDIS_URL'];
  } else {
    set('VARVE_REDIS_URL', options.redis);
    delete env['VARVE_REDIS_SOCKET'];
  }
  return env;
}

async function isReady(url: string, signal: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + readyDeadlineMs;
  while (performance.now() < deadline && !signal.aborted) {
    try {
      const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
      if (answer.ok) return true;
    } catch {
      // Not yet.
    }
    await pause(100);
  }
  return false;
}

/** What the person at the terminal sees: lines that scroll, and on a terminal a live block below them. */
interface Screen {
  say(line: string): void;
  note(text: string, grade: 'warn' | 'error' | 'plain'): void;
  happened(line: string, at: number): void;
  status(status: Status): void;
  close(): void;
}

function createScreen(deps: UpDeps): Screen {
  const { terminal } = deps;
  const block = terminal.interactive ? createLiveBlock(terminal) : undefined;
  const write = (line: string): void => {
    if (block === undefined) terminal.line(line);
    else block.above(line);
  };
  const stamped = (line: string, at: number): void => {
    const time = terminal.interactive ? clockTime(at).slice(11) : new Date(at).toISOString();
    write(`${terminal.paint('dim', time)}  ${line}`);
  };
  let last: Status | undefined;
  const paint = (): void => {
    if (last !== undefined) block?.show(['', ...fleetLines(last, terminal, deps.now(), terminal.rows - 1)]);
  };
  // Times pass on the screen even where nothing happens.
  const ticking = block === undefined ? undefined : setInterval(paint, 1_000);
  return {
    say: write,
    note(text, grade) {
      const painted =
        grade === 'error'
          ? terminal.paint('red', text)
          : grade === 'warn'
            ? terminal.paint('yellow', text)
            : text;
      stamped(painted, deps.now());
    },
    happened: stamped,
    status(status) {
      last = status;
      paint();
    },
    close() {
      clearInterval(ticking);
      block?.close();
    },
  };
}

/** The socket of an embedded Redis, from its address `unix:/path`. */
export function socketOf(address: string): string {
  const path = /^unix:(?:\/\/)?(\/.+)$/.exec(address)?.[1];
  if (path !== undefined) return path;
  throw new FleetError({
    code: 'INTERNAL',
    disposition: 'stalled',
    message: 'the embedded Redis has no socket',
  });
}
