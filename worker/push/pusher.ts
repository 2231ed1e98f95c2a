import { FleetError } from '../../shared/domain/errors.ts';
import type { StepContext } from '../../shared/platform/ports/steps.ts';
import { keepAndQuery } from '../nix/protocol/adding.ts';
import { DaemonError } from '../nix/protocol/answers.ts';
import { greeting } from '../nix/protocol/greeting.ts';
import { WireError } from '../nix/protocol/wire.ts';
import type { NixStore, PathInfo } from '../nix/store.ts';
import type { Channel } from '../ssh/channel.ts';
import { lost } from '../ssh/ssh-errors.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { compressAhead, newestFirst } from './ahead.ts';
import type { ArchiveSource } from './archive.ts';
import type { Archives } from './archives.ts';
import { createPlainEncoder, createZstdEncoder } from './encoding.ts';
import { type HostAnswer, readHostAnswer } from './host-answer.ts';
import { controlCommand, dataCommand } from './host-scripts.ts';
import { orderForSending } from './plan.ts';
import { hostDiskFull, pushError, refusal, type Room } from './push-errors.ts';
import type { Push, Pushed, PushRequest } from './push.ts';
import { type Piece, sendPaths } from './send.ts';
import { createWatch, type Watch } from './watch.ts';

export interface PusherDeps {
  readonly ssh: Pick<Ssh, 'pooled'>;
  readonly store: Pick<NixStore, 'closure'>;
  readonly source: ArchiveSource;
  readonly archives: Pick<Archives, 'pieces' | 'has'>;
  /** Signatures of our own, besides those that the worker's store has. */
  readonly sign: (info: PathInfo) => readonly string[];
  readonly settings?: Partial<PushSettings>;
}

export interface PushSettings {
  /** A host that takes nothing and answers nothing for so long is given up. */
  readonly stallMs: number;
  /** Up to this round trip a line is as fast as a compressor: a path for one host only is sent as it is. */
  readonly nearMs: number;
}

/** Who has not answered after so long is far away: then what is sent there is compressed. */
const farMs = 150;

export const usualPushSettings: PushSettings = { stallMs: 60_000, nearMs: 10 };

/** A push under way. */
interface Run {
  readonly request: PushRequest;
  readonly closure: readonly PathInfo[];
  readonly watch: Watch;
  readonly context: StepContext;
  /** Of what the host lacked at first: so far, over however many connections. */
  readonly arrived: { paths: number; bytes: number };
  /** What the host lacked at first; empty before it has said so. */
  readonly lacked: Map<string, PathInfo>;
}

/**
 * The push: one flight of questions over a connection that is kept open, and one stream of what is missing. What is said
 * to the host's daemon needs none of its answers, so nothing waits for a round trip but the stream for the question of
 * what is to be in it.
 */
export function createPusher(deps: PusherDeps): Push {
  const { ssh, store, source, archives, sign } = deps;
  const { stallMs, nearMs } = { ...usualPushSettings, ...deps.settings };
  let underWay = 0;

  async function* plain({ path }: PathInfo): AsyncGenerator<Piece> {
    for await (const bytes of source.read(path)) yield { length: bytes.length, bytes };
  }

  async function* compressed(info: PathInfo, signal: AbortSignal): AsyncGenerator<Piece> {
    for await (const { length, frame } of archives.pieces(info, signal)) yield { length, bytes: frame };
  }

  /** What is done in vain is not done for long: the answer ends it. */
  function compressMeanwhile({ closure, watch }: Run): () => void {
    const answered = new AbortController();
    const signal = AbortSignal.any([watch.signal, answered.signal]);
    const timer = setTimeout(() => {
      void compressAhead(archives, newestFirst(orderForSending(closure, new Set())), signal);
    }, farMs);
    return () => {
      clearTimeout(timer);
      answered.abort();
    };
  }

  /** Brings what is missing over one connection. */
  async function bring(run: Run): Promise<void> {
    const { request, closure, watch, context, lacked } = run;
    const { signal } = watch;
    const answered = compressMeanwhile(run);
    const session = await ssh.pooled(request.connection, { signal }).catch((thrown: unknown) => {
      answered();
      throw thrown;
    });
    watch.moved();
    const over = new AbortController();
    try {
      // Also one that is open only when all is over.
      const untilOver = AbortSignal.any([signal, over.signal]);
      const start = (command: string): Promise<Channel> =>
        session.start(command, { signal: untilOver, again: true });
      const [control, data] = await Promise.all([start(controlCommand), start(dataCommand)]);
      const answer = await ask(run, control);
      answered();
      const missing = answer.kind === 'rooted' ? [] : orderForSending(closure, answer.valid);
      countAgain(run, missing);
      if (answer.kind === 'rooted') return;
      const bytes = missing.reduce((sum, { narSize }) => sum + narSize, 0);
      const room = { free: answer.free, needed: bytes };
      if (answer.free !== undefined && bytes > answer.free) throw hostDiskFull(whereOf(request), room);
      if (missing.length === lacked.size) {
        context.log(`sending ${missing.length} paths, ${bytes} bytes, to ${request.connection.address}`);
      }
      const isNear = session.roundTripMs() < nearMs && underWay < 2;
      await send(run, data, missing, { compress: answer.zstd && !isNear, room });
    } finally {
      answered();
      // What has arrived is protected until it is rooted.
      over.abort();
      session.close();
    }
  }

  async function ask({ request, closure, watch }: Run, control: Channel): Promise<HostAnswer> {
    const paths = closure.map(({ path }) => path);
    const substitute = request.substitute === true;
    const question = [wanted(request), greeting(), keepAndQuery(paths, { substitute })];
    try {
      await control.write(Buffer.concat(question));
      return await readHostAnswer(watch.watched(control.output), paths.length);
    } catch (thrown) {
      throw await explained(thrown, control, request);
    }
  }

  async function send(
    { request, watch, context, arrived }: Run,
    data: Channel,
    missing: readonly PathInfo[],
    { compress, room }: { readonly compress: boolean; readonly room: Room },
  ): Promise<void> {
    const write = async (bytes: Uint8Array): Promise<void> => {
      // What took time until here was our own doing.
      watch.moved();
      await data.write(bytes);
      watch.moved();
    };
    const total = {
      bytes: arrived.bytes + missing.reduce((sum, { narSize }) => sum + narSize, 0),
      paths: arrived.paths + missing.length,
    };
    const tell = (): void =>
      context.progress({
        what: 'bytes',
        done: arrived.bytes,
        total: total.bytes,
        paths: { done: arrived.paths, total: total.paths },
      });
    tell();
    const over = new AbortController();
    const signal = AbortSignal.any([watch.signal, over.signal]);
    if (compress) void compressAhead(archives, missing, signal);
    try {
      await data.write(Buffer.concat([Buffer.from(compress ? 'zstd\n' : 'plain\n'), wanted(request)]));
      const { refused, rest } = await sendPaths({
        paths: missing.map((info) => ({ ...info, signatures: [...info.signatures, ...sign(info)] })),
        pieces: (info) => (compress ? compressed(info, signal) : plain(info)),
        encoder: compress ? createZstdEncoder(write) : createPlainEncoder(write),
        output: watch.watched(data.output),
        // A decompressor gives the last bytes only at the end; a daemon that is talked to directly must not see one.
        sent: () => compress && data.end(),
        answered: () => !compress && data.end(),
        acknowledged({ narSize }) {
          arrived.paths += 1;
          arrived.bytes += narSize;
          tell();
        },
      });
      if (refused.length > 0) throw refusal(refused, request.connection, room);
      if (rest.toString('latin1').endsWith('rooted\n')) return;
    } catch (thrown) {
      throw await explained(thrown, data, request);
    } finally {
      over.abort();
    }
    throw pushError(`what was sent is not rooted: ${data.complaint().trim()}`, request.connection, room);
  }

  return {
    async push(request, context): Promise<Pushed> {
      const watch = createWatch(context.signal, { deadlineMs: request.deadlineMs, stallMs });
      const arrived = { paths: 0, bytes: 0 };
      const lacked = new Map<string, PathInfo>();
      underWay += 1;
      try {
        const closure = await store.closure([...request.paths.values()], { signal: watch.signal });
        watch.moved();
        for (;;) {
          const before = arrived.paths;
          try {
            await bring({ request, closure, watch, context, arrived, lacked });
            return { ...arrived, closure };
          } catch (thrown) {
            // What has arrived stays there, so a line that breaks now and then is got over.
            if (!isLost(thrown) || arrived.paths === before || watch.signal.aborted) throw thrown;
            context.log(`the connection was lost after ${arrived.paths} paths; the rest takes another one`);
          }
        }
      } catch (thrown) {
        throw watch.why(request) ?? thrown;
      } finally {
        underWay -= 1;
        watch.end();
      }
    },
  };
}

/** What arrived is known by what is missing now: of the last paths that a line took before it broke nobody heard. */
function countAgain({ lacked, arrived }: Run, missing: readonly PathInfo[]): void {
  if (lacked.size === 0) for (const info of missing) lacked.set(info.path, info);
  const left = new Set(missing.map(({ path }) => path));
  const there = [...lacked.values()].filter(({ path }) => !left.has(path));
  arrived.paths = there.length;
  arrived.bytes = there.reduce((sum, { narSize }) => sum + narSize, 0);
}

function wanted({ deployment, paths }: PushRequest): Buffer {
  const lines = [...paths].map(([name, path]) => `${name} ${path}\n`);
  return Buffer.from(`${deployment}\n${lines.join('')}.\n`);
}

function whereOf({ connection }: PushRequest): string {
  return `${connection.address}:${connection.port}`;
}

function isLost(thrown: unknown): boolean {
  return thrown instanceof FleetError && thrown.code === 'HOST_UNREACHABLE';
}

/** A daemon that ends in the middle has said why on its standard error, or the connection is lost. */
async function explained(thrown: unknown, channel: Channel, request: PushRequest): Promise<unknown> {
  if (thrown instanceof DaemonError) return pushError(thrown.message, request.connection);
  if (!(thrown instanceof WireError)) return thrown;
  // One that says what cannot be still waits for more.
  channel.end();
  const end = await channel.ended;
  if (end.kind === 'lost') return lost(request.connection, thrown);
  const said = channel.complaint().trim();
  return pushError(said === '' ? thrown.message : said, request.connection);
}
