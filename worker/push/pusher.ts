import { FleetError } from '../../shared/domain/errors.ts';
import type { StepContext } from '../../shared/platform/ports/steps.ts';
import { keepAndQuery } from '../nix/protocol/adding.ts';
import { DaemonError } from '../nix/protocol/answers.ts';
import { greeting } from '../nix/protocol/greeting.ts';
import { WireError } from '../nix/protocol/wire.ts';
import type { NixStore, PathInfo } from '../nix/store.ts';
import type { Channel } from '../ssh/channel.ts';
import type { Session } from '../ssh/session.ts';
import type { Ssh } from '../ssh/ssh.ts';
import type { ArchiveSource } from './archive.ts';
import type { Archives } from './archives.ts';
import { createPlainEncoder, createZstdEncoder } from './encoding.ts';
import { readHostAnswer } from './host-answer.ts';
import { controlCommand, dataCommand } from './host-scripts.ts';
import { orderForSending } from './plan.ts';
import { hostDiskFull, pushError } from './push-errors.ts';
import type { Push, Pushed, PushRequest } from './push.ts';
import { type Piece, sendPaths } from './send.ts';
import { createWatch, type Watch } from './watch.ts';

export interface PusherDeps {
  readonly ssh: Pick<Ssh, 'pooled'>;
  readonly store: Pick<NixStore, 'closure'>;
  readonly source: ArchiveSource;
  readonly archives: Pick<Archives, 'pieces'>;
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

export const usualPushSettings: PushSettings = { stallMs: 60_000, nearMs: 10 };

/**
 * The push: one flight of questions over a connection that is kept open, and one stream of what is missing. What is said
 * to the host's daemon needs none of its answers, so nothing waits for a round trip but the stream for the question of
 * what is to be in it.
 */
export function createPusher(deps: PusherDeps): Push {
  const { ssh, store, source, archives, sign } = deps;
  const { stallMs, nearMs } = { ...usualPushSettings, ...deps.settings };
  let under = 0;

  async function* plain({ path }: PathInfo): AsyncGenerator<Piece> {
    for await (const bytes of source.read(path)) yield { length: bytes.length, bytes };
  }

  async function* compressed(info: PathInfo, signal: AbortSignal): AsyncGenerator<Piece> {
    for await (const { length, frame } of archives.pieces(info, signal)) yield { length, bytes: frame };
  }

  async function attempt(
    request: PushRequest,
    closure: readonly PathInfo[],
    watch: Watch,
    told: { paths: number; bytes: number },
    context: StepContext,
  ): Promise<void> {
    const session = await ssh.pooled(request.connection, { signal: watch.signal });
    try {
      await bring(session, request, closure, watch, told, context);
    } finally {
      session.close();
    }
  }

  async function bring(
    session: Session,
    request: PushRequest,
    closure: readonly PathInfo[],
    watch: Watch,
    told: { paths: number; bytes: number },
    context: StepContext,
  ): Promise<void> {
    const { signal } = watch;
    const opened = performance.now();
    const [control, data] = await Promise.all(
      [controlCommand, dataCommand].map((command) => session.start(command, { signal, again: true })),
    );
    if (control === undefined || data === undefined) throw new Error('two were started');
    const nearby = (performance.now() - opened) / 2 < nearMs;
    try {
      const paths = closure.map(({ path }) => path);
      await control.write(
        Buffer.concat([
          wanted(request),
          greeting(),
          keepAndQuery(paths, { substitute: request.substitute === true }),
        ]),
      );
      const answer = await readHostAnswer(watch.watched(control.output), paths.length).catch((thrown) =>
        explained(thrown, control, request),
      );
      if (answer.kind === 'rooted') return;
      const missing = orderForSending(closure, answer.valid);
      const bytes = missing.reduce((sum, { narSize }) => sum + narSize, 0);
      if (answer.free !== undefined && bytes > answer.free) {
        throw hostDiskFull(whereOf(request), answer.free, bytes);
      }
      // Nobody sends more than what is missing at first, however often the line breaks.
      if (told.paths === 0)
        context.log(`sending ${missing.length} paths, ${bytes} bytes, to ${request.connection.address}`);
      await stream(
        missing,
        data,
        answer.zstd && !(nearby && under < 2),
        answer.free,
        request,
        watch,
        told,
        context,
      );
    } finally {
      // The paths stay protected until they are rooted.
      control.close();
      data.close();
    }
  }

  async function stream(
    missing: readonly PathInfo[],
    data: Channel,
    compress: boolean,
    free: number | undefined,
    request: PushRequest,
    watch: Watch,
    told: { paths: number; bytes: number },
    context: StepContext,
  ): Promise<void> {
    const write = async (bytes: Uint8Array): Promise<void> => {
      await data.write(bytes);
      watch.moved();
    };
    const total = told.paths + missing.length;
    const progress = (): void => context.progress({ what: 'copying', done: told.paths, total });
    progress();
    await data.write(Buffer.concat([Buffer.from(compress ? 'zstd\n' : 'plain\n'), wanted(request)]));
    const { refused, rest } = await sendPaths({
      paths: missing.map((info) => ({ ...info, signatures: [...info.signatures, ...sign(info)] })),
      pieces: (info) => (compress ? compressed(info, watch.signal) : plain(info)),
      encoder: compress ? createZstdEncoder(write) : createPlainEncoder(write),
      output: watch.watched(data.output),
      sent: () => {
        if (compress) data.end();
      },
      answered: () => {
        if (!compress) data.end();
      },
      acknowledged({ narSize }) {
        told.paths += 1;
        told.bytes += narSize;
        progress();
      },
    }).catch((thrown) => explained(thrown, data, request));
    const [first] = refused;
    if (first !== undefined) throw pushError(first.why, request.connection, free);
    if (!rest.toString('latin1').endsWith('rooted\n')) {
      throw pushError(`what was sent is not rooted: ${data.complaint()}`, request.connection, free);
    }
  }

  return {
    async push(request, context): Promise<Pushed> {
      const watch = createWatch(context.signal, { deadlineMs: request.deadlineMs, stallMs });
      const told = { paths: 0, bytes: 0 };
      under += 1;
      try {
        const closure = await store.closure([...request.paths.values()], { signal: watch.signal });
        for (;;) {
          const before = told.paths;
          try {
            await attempt(request, closure, watch, told, context);
            return { ...told, closure };
          } catch (thrown) {
            // What has arrived stays there, so a line that breaks now and then is got over.
            if (!isLost(thrown) || told.paths === before || watch.signal.aborted) throw thrown;
            context.log(
              `the connection was lost after ${told.paths} paths; the rest is sent over another one`,
            );
          }
        }
      } catch (thrown) {
        throw watch.why(request) ?? thrown;
      } finally {
        under -= 1;
        watch.end();
      }
    },
  };
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
async function explained(thrown: unknown, channel: Channel, request: PushRequest): Promise<never> {
  if (thrown instanceof DaemonError) throw pushError(thrown.message, request.connection, undefined);
  if (!(thrown instanceof WireError)) throw thrown;
  const end = await channel.ended;
  if (end.kind === 'lost') {
    throw new FleetError({
      code: 'HOST_UNREACHABLE',
      disposition: 'transient',
      message: `the connection to ${whereOf(request)} was lost`,
      cause: thrown,
    });
  }
  const said = channel.complaint().trim();
  throw pushError(said === '' ? thrown.message : said, request.connection, undefined);
}
