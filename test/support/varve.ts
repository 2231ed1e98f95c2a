import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { withParentDeath } from '../../cli/up/parent-death.ts';
import { FleetHistory, HostHistory, Shown, type GenerationView } from '../../shared/contracts/api-history.ts';
import { Status, Why, type HostStatus } from '../../shared/contracts/api.ts';
import { decodeFact } from '../../controller/ledger/codec.ts';
import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { eventually } from './eventually.ts';
import { freePort } from './ports.ts';
import { startPrivateRedis, type PrivateRedis } from './redis.ts';

export interface VarveOptions {
  /** Data and logs live here; it must exist. */
  readonly dir: string;
  readonly repository: string;
  readonly identity: string;
  readonly ref?: string;
  /** Seconds between polls; tests push webhooks or `sync` rather than wait. */
  readonly pollSeconds?: number;
  readonly probeSeconds?: number;
  /** Set in front of PATH of the worker: where a test puts programs that tell what is called. */
  readonly workerPath?: string;
  /** What the worker finds in the place of /etc/hosts. */
  readonly workerHostsFile?: string;
  /** The known hosts of the service, for hosts without keys of their own in the repository. */
  readonly knownHosts?: string;
  /** What the service configuration says of workers besides. */
  readonly worker?: Readonly<Record<string, unknown>>;
  /** Seconds of silence after which a worker's jobs are given to another. */
  readonly workerLostAfterSeconds?: number;
  readonly webhookSecret?: string;
  /** How much the programs write to their logs; tests want all of it. */
  readonly logLevel?: 'debug' | 'info';
  readonly ledgerRemote?: string;
  /** An address of Redis that the caller runs; none: one is started. */
  readonly redis?: string;
  readonly name?: string;
  /** What is started; controller and worker unless told. */
  readonly programs?: readonly ('controller' | 'worker')[];
  /** What a program is told to die of, when it is first started: see the fault points. */
  readonly faults?: Readonly<Partial<Record<'controller' | 'worker', string>>>;
  /** A file with the token that controllers and workers share; one of its own unless told. */
  readonly internalToken?: string;
}

/** One program of Varve, as a process of its own. */
export interface Program {
  readonly name: 'controller' | 'worker';
  start(env?: Readonly<Record<string, string>>): Promise<void>;
  /** SIGTERM, and waits. */
  stop(): Promise<void>;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Stops and continues the process as a pause of its machine would. */
  pause(): void;
  resume(): void;
  running(): boolean;
  /** Whether it was ended by SIGKILL, and not by a mistake of its own. */
  killed(): boolean;
  /** Of the process that was started last. */
  pid(): number;
  ended(): Promise<void>;
  log(): Promise<string>;
}

/** A whole Varve on this machine: Redis, controller, worker, as separate processes that a test can end. */
export interface Varve {
  readonly url: string;
  readonly dataDir: string;
  readonly controller: Program;
  readonly worker: Program;
  /** `undefined` if the caller runs it. */
  readonly redis: PrivateRedis | undefined;
  readonly webhookUrl: string;
  get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>>;
  post(path: string, body?: unknown): Promise<{ readonly status: number; readonly body: unknown }>;
  status(): Promise<Status>;
  host(name: string): Promise<HostStatus>;
  why(name: string): Promise<Why>;
  history(name: string): Promise<readonly GenerationView[]>;
  fleetHistory(): Promise<FleetHistory>;
  deployment(id: string): Promise<Extract<Shown, { kind: 'deployment' }>['deployment']>;
  sync(): Promise<void>;
  /** Waits until every host (or the named ones) is judged in the newest observation as the predicate says. */
  settle(
    revision: string,
    want?: (host: HostStatus) => boolean,
    options?: { readonly deadlineMs?: number; readonly hosts?: readonly string[] },
  ): Promise<Status>;
  close(): Promise<void>;
}

const root = new URL('../..', import.meta.url).pathname;

export async function startVarve(options: VarveOptions): Promise<Varve> {
  const dataDir = join(options.dir, options.name ?? 'varve');
  await mkdir(dataDir, { recursive: true });
  const redis = options.redis === undefined ? await startPrivateRedis() : undefined;
  const redisAddress = options.redis ?? redis?.address ?? '';
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = join(dataDir, 'varve-service.yaml');
  const secretFile = join(dataDir, 'webhook-secret');
  await writeFile(secretFile, options.webhookSecret ?? 'unused-secret');
  await writeFile(
    config,
    JSON.stringify({
      repository: {
        url: options.repository,
        ref: options.ref ?? 'main',
        pollIntervalSeconds: options.pollSeconds ?? 3600,
      },
      dataDir,
      listen: { address: '127.0.0.1', port },
      redis: redisAddress.startsWith('redis')
        ? { url: redisAddress }
        : { socket: redisAddress.replace(/^unix:/, '') },
      ...(options.internalToken === undefined ? {} : { internalToken: { file: options.internalToken } }),
      ...(options.ledgerRemote === undefined ? {} : { ledger: { remote: { url: options.ledgerRemote } } }),
      probe: { intervalSeconds: options.probeSeconds ?? 300 },
      lease: { ttlSeconds: 3 },
      webhooks: { default: { secrets: [{ file: secretFile }] } },
      worker: {
        identities: [options.identity],
        ...(options.knownHosts === undefined ? {} : { knownHosts: options.knownHosts }),
        ...(options.workerLostAfterSeconds === undefined
          ? {}
          : { lostAfterSeconds: options.workerLostAfterSeconds }),
        nix: { settings: { sandbox: 'false', 'build-users-group': '', substituters: '' } },
        ...options.worker,
      },
      log: { level: options.logLevel ?? 'debug' },
    }),
  );
  const controller = program('controller', config, dataDir, {}, []);
  const worker = program(
    'worker',
    config,
    dataDir,
    options.workerPath === undefined ? {} : { PATH: `${options.workerPath}:${process.env['PATH'] ?? ''}` },
    options.workerHostsFile === undefined ? [] : withHostsFile(options.workerHostsFile),
  );

  async function get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
    const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(10_000) });
    const body: unknown = await response.json();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(body)}`);
    return schema.parse(body);
  }

  const varve: Varve = {
    url,
    dataDir,
    controller,
    worker,
    redis,
    webhookUrl: `${url}/webhooks`,
    get,
    async post(path, body) {
      const response = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body ?? {}),
        signal: AbortSignal.timeout(30_000),
      });
      return { status: response.status, body: await response.json() };
    },
    status: () => get('/api/v1/status', Status),
    async host(name) {
      const found = (await varve.status()).hosts.find(({ host }) => host === name);
      if (found === undefined) throw new Error(`no host ${name}`);
      return found;
    },
    why: (name) => get(`/api/v1/hosts/${name}/why`, Why),
    history: async (name) => (await get(`/api/v1/hosts/${name}/history?limit=100`, HostHistory)).generations,
    fleetHistory: () => get('/api/v1/history?limit=100', FleetHistory),
    async deployment(id) {
      const shown = await get(`/api/v1/deployments/${id}`, Shown);
      if (shown.kind !== 'deployment') throw new Error(`${id} is no deployment`);
      return shown.deployment;
    },
    async sync() {
      const { status, body } = await varve.post('/api/v1/sync');
      if (status >= 300) throw new Error(`sync: ${status} ${JSON.stringify(body)}`);
    },
    async settle(
      revision,
      want = ({ verdict }) => verdict === 'in-sync',
      { deadlineMs = 90_000, hosts } = {},
    ) {
      let last: Status | undefined;
      try {
        return await eventually(
          async () => {
            last = await varve.status();
            if (last.observation?.revision !== revision) return false;
            const considered = last.hosts.filter(({ host }) => hosts?.includes(host) ?? true);
            return considered.length > 0 && considered.every(want) && last;
          },
          { what: `every host settled at ${revision.slice(0, 12)}`, deadlineMs, everyMs: 50 },
        );
      } catch (cause) {
        const said = last?.hosts
          .map(({ host, verdict, reason }) => `${host}: ${verdict}, ${reason}`)
          .join('\n');
        throw new Error(
          `not settled at ${revision}; observed ${last?.observation?.revision}, source ${JSON.stringify(last?.source)}\n${said}`,
          { cause },
        );
      }
    },
    async close() {
      await Promise.all([controller.stop(), worker.stop()]);
      await redis?.close();
    },
  };
  const wanted = options.programs ?? ['controller', 'worker'];
  for (const each of [controller, worker].filter(({ name }) => wanted.includes(name))) {
    const fault = options.faults?.[each.name];
    await each.start(fault === undefined ? {} : { VARVE_FAULT_POINT: fault });
  }
  if (!wanted.includes('controller') || options.faults?.controller !== undefined) return varve;
  await eventually(async () => (await fetch(`${url}/livez`)).ok, {
    what: 'the controller listens',
    deadlineMs: 30_000,
  });
  return varve;
}

/** Runs a program with another file in the place of /etc/hosts, seen by it and what it starts alone. */
function withHostsFile(file: string): readonly string[] {
  const script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"';
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', file];
}

function program(
  name: 'controller' | 'worker',
  config: string,
  dataDir: string,
  baseEnv: Readonly<Record<string, string>>,
  /** A program that becomes the one that is given to it. */
  within: readonly string[],
): Program {
  const logFile = join(dataDir, `${name}.log`);
  let child: ChildProcess | undefined;
  let exited: Promise<void> = Promise.resolve();
  const alive = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!alive()) return;
    child?.kill(signal);
    await exited;
  }

  return {
    name,
    async start(env = {}) {
      await end('SIGKILL');
      const log = createWriteStream(logFile, { flags: 'a' });
      const main = join(root, 'dist', name, 'main.js');
      const argv = withParentDeath([process.execPath, '--enable-source-maps', main, config]);
      const [command = '', ...args] = [...within, ...argv];
      const started = spawn(command, args, {
        env: { ...process.env, ...baseEnv, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      started.stdout.pipe(log, { end: false });
      started.stderr.pipe(log, { end: false });
      exited = new Promise((resolve) => {
        started.once('exit', () => {
          log.end();
          resolve();
        });
      });
      child = started;
    },
    async stop() {
      if (!alive()) return;
      const forced = setTimeout(() => child?.kill('SIGKILL'), 20_000);
      await end('SIGTERM');
      clearTimeout(forced);
    },
    kill: (signal = 'SIGKILL') => end(signal),
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    running: alive,
    killed: () => child?.signalCode === 'SIGKILL',
    pid: () => child?.pid ?? 0,
    ended: () => exited,
    log: () => readFile(logFile, 'utf8'),
  };
}

/** The facts of a ledger, read by Git alone, as anybody could. */
export async function readLedger(dataDir: string): Promise<readonly Fact[]> {
  const run = createRun();
  const git = async (args: readonly [string, ...string[]]): Promise<string> => {
    const { stdout } = await run(['git', ...args], { cwd: join(dataDir, 'ledger.git'), deadlineMs: 30_000 });
    return stdout.toString('utf8');
  };
  const files = (await git(['ls-tree', '-r', '--name-only', 'refs/varve/ledger']))
    .split('\n')
    .filter(Boolean);
  const number = (file: string): number => Number(/(\d+)\.jsonl$/.exec(file)?.[1] ?? 0);
  const facts: Fact[] = [];
  for (const file of files.toSorted((a, b) => number(a) - number(b))) {
    const text = await git(['show', `refs/varve/ledger:${file}`]);
    for (const line of text.split('\n').filter(Boolean)) facts.push(decodeFact(line, file));
  }
  return facts;
}

/** The outcomes in a ledger of one revision's deployments. */
export async function outcomesOf(dataDir: string, revision: string): Promise<readonly FactOf<'outcome'>[]> {
  return (await readLedger(dataDir)).filter(
    (fact): fact is FactOf<'outcome'> => fact.kind === 'outcome' && fact.aim.revision === revision,
  );
}
