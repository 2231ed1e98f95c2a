import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ownUrl } from '../../shared/contracts/service-config.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { createApiClient } from '../api-client.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { type Terminal, harmless } from '../terminal.ts';
import { duration } from '../words.ts';
import { mustBeFree, prepareDataFolder } from './data-folder.ts';
import type { ExampleDeps, RunningExample } from './example.ts';
import { watchFleet } from './fleet-watch.ts';
import { type Screen, createScreen } from './screen.ts';
import { createServiceLog } from './service-log.ts';
import type { UpSettings } from './settings.ts';
import { createStory } from './story.ts';
import { type Supervised, supervise } from './supervisor.ts';

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
export async function runUp(settings: UpSettings, deps: UpDeps): Promise<ExitCode> {
  const { terminal } = deps;
  await mustBeFree(settings.listen);
  const closers: (() => Promise<void>)[] = [];
  const screen = createScreen(deps);
  try {
    const example = settings.example
      ? await deps.startExample({
          folder: settings.folder,
          url: ownUrl(settings.listen),
          env: deps.env,
          terminal,
          signal: deps.signal,
          say: (text, grade) => screen.note(harmless(text), grade),
        })
      : undefined;
    if (example !== undefined) closers.push(() => example.close());
    const folder = await prepareDataFolder(settings.folder);
    const env: Record<string, string> = { ...settings.env, ...exampleEnvironment(example) };
    if (settings.ownRedis) {
      const redis = await deps.startRedis(join(folder, 'redis'), (text) => screen.note(text, 'warn'));
      closers.push(() => redis.close());
      env['VARVE_REDIS_SOCKET'] = redis.socket;
    }
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
    await attend(settings, deps, example, services, screen);
    return exitCodes.ok;
  } finally {
    screen.close();
    if (closers.length > 0) terminal.aside(terminal.paint('dim', stoppingText(settings)));
    // In reverse: the worker first, Redis after those who use it, the hosts last.
    for (const close of closers.toReversed()) await close();
  }
}

function exampleEnvironment(example: RunningExample | undefined): Readonly<Record<string, string>> {
  if (example === undefined) return {};
  return {
    VARVE_REPOSITORY_URL: example.repository,
    VARVE_REPOSITORY_REF: example.ref,
    ...example.env,
  };
}

function stoppingText({ example, folder }: UpSettings): string {
  return example
    ? `stopping: the hosts go, the repository stays in ${folder} until the next start`
    : 'stopping: hosts keep what they run';
}

/** Runs until the user stops it or a service cannot go on. */
async function attend(
  { folder, listen }: UpSettings,
  deps: UpDeps,
  example: RunningExample | undefined,
  services: readonly Supervised[],
  screen: Screen,
): Promise<void> {
  const { terminal } = deps;
  const url = ownUrl(listen);
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
    onRefused: ({ message, hint = '' }) =>
      screen.note(`nothing can be shown: ${message}${hint === '' ? '' : `; ${hint}`}`, 'warn'),
  });
  try {
    await Promise.race([stopped, broken]);
  } finally {
    ending.abort();
    // What only watches must not hold up the end, whatever its connection does.
    await Promise.race([watching, pause(2_000)]);
  }
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
