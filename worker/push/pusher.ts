import { connectionKey } from '../../shared/domain/fleet.ts';
import type { NixStore, PathInfo } from '../nix/store.ts';
import type { Channel } from '../ssh/channel.ts';
import type { Session } from '../ssh/session.ts';
import { isUnreachable } from '../ssh/ssh-errors.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { compressAhead, newestFirst } from './ahead.ts';
import { ask } from './ask.ts';
import { mayHold } from './disk.ts';
import { controlCommand, dataCommand } from './host-scripts.ts';
import { orderForSending } from './plan.ts';
import { hostDiskFull } from './push-errors.ts';
import type { Push, Pushed, PushRequest } from './push.ts';
import { archiveBytes, countAgain, type Run } from './run.ts';
import { createStream, type StreamDeps } from './stream.ts';
import { createWatch, type Patience, type Watch } from './watch.ts';

export interface PusherDeps extends StreamDeps {
  readonly ssh: Pick<Ssh, 'pooled'>;
  readonly store: Pick<NixStore, 'closure'>;
  readonly settings?: Partial<PushSettings>;
}

export interface PushSettings extends Patience {
  /** Up to this round trip a line is as fast as a compressor: what is for one host only, and not made yet, is sent as it is. */
  readonly nearMs: number;
}

/** Who has not answered so long after the push began is far away: then what is sent there is compressed. */
const farMs = 60;

/** No disk that a system runs from is slower than a cheap SD card. */
export const usualPushSettings: PushSettings = {
  stallMs: 60_000,
  diskBytesPerSecond: 10_000_000,
  nearMs: 10,
};

/**
 * The push: one flight of questions over a connection that is kept open, and one stream of what is missing. What is said
 * to the host's daemon needs none of its answers, so nothing waits for a round trip but the stream for the question of
 * what is to be in it.
 */
export function createPusher(deps: PusherDeps): Push {
  const { ssh, store, archives } = deps;
  const { nearMs, ...patience } = { ...usualPushSettings, ...deps.settings };
  const stream = createStream(deps);
  /** Who could not be reached the last time. */
  const away = new Set<string>();
  let underWay = 0;

  /** What is done in vain is not done for long: the answer ends it. Nor is it done for a host that is away. */
  function compressMeanwhile({ request, closure, watch, began }: Run): () => void {
    if (away.has(connectionKey(request.connection))) return () => {};
    const answered = new AbortController();
    const signal = AbortSignal.any([watch.signal, answered.signal]);
    const compress = (): void =>
      void compressAhead(archives, newestFirst(orderForSending(closure, new Set())), signal);
    const timer = setTimeout(compress, began + farMs - performance.now());
    return () => {
      clearTimeout(timer);
      answered.abort();
    };
  }

  async function reach({ connection }: PushRequest, watch: Watch): Promise<Session> {
    const key = connectionKey(connection);
    try {
      const session = await ssh.pooled(connection, { signal: watch.signal });
      away.delete(key);
      watch.moved();
      watch.awaits(0);
      return session;
    } catch (thrown) {
      if (isUnreachable(thrown)) away.add(key);
      throw thrown;
    }
  }

  /** A connection that is made meanwhile is given back if it is not wanted after all. */
  async function closureOf(
    { paths }: PushRequest,
    watch: Watch,
    opening: Promise<Session>,
  ): Promise<readonly PathInfo[]> {
    // Whoever waits for it hears how it fails.
    opening.catch(() => {});
    try {
      const closure = await store.closure([...paths.values()], { signal: watch.signal });
      watch.moved();
      return closure;
    } catch (thrown) {
      opening.then(
        (session) => session.close(),
        () => {},
      );
      throw thrown;
    }
  }

  /** Brings what is missing over one connection. */
  async function bring(run: Run, opening: Promise<Session>): Promise<void> {
    const answered = compressMeanwhile(run);
    try {
      const session = await opening;
      const over = new AbortController();
      try {
        // Also one that is open only when all is over.
        const signal = AbortSignal.any([run.watch.signal, over.signal]);
        const start = (command: string): Promise<Channel> => session.start(command, { signal, again: true });
        const [control, data] = await Promise.all([start(controlCommand), start(dataCommand)]);
        const answer = await ask(run, control);
        answered();
        const missing = answer.kind === 'rooted' ? [] : orderForSending(run.closure, answer.valid);
        countAgain(run, missing);
        if (answer.kind === 'rooted') return;
        const room = { free: answer.disk?.free, needed: archiveBytes(missing) };
        if (answer.disk !== undefined && !mayHold(answer.disk, room.needed)) {
          throw hostDiskFull(whereOf(run.request), room);
        }
        tellOnce(run, missing, room.needed);
        const isNear = session.roundTripMs() < nearMs && underWay < 2;
        const isMade = missing.every((info) => archives.has(info));
        await stream(run, data, { paths: missing, compress: answer.zstd && (isMade || !isNear), room });
      } finally {
        // What has arrived is protected until it is rooted.
        over.abort();
        session.close();
      }
    } finally {
      answered();
    }
  }

  return {
    async push(request, context): Promise<Pushed> {
      const watch = createWatch(context.signal, { deadlineMs: request.deadlineMs, ...patience });
      const arrived = { paths: 0, bytes: 0 };
      const lacked = new Map<string, PathInfo>();
      const began = performance.now();
      underWay += 1;
      // Both take a while: the worker's store is asked while the connection is made.
      let opening = reach(request, watch);
      try {
        const closure = await closureOf(request, watch, opening);
        for (;;) {
          const before = arrived.paths;
          try {
            await bring({ request, closure, watch, context, began, arrived, lacked }, opening);
            return { ...arrived, closure };
          } catch (thrown) {
            // What has arrived stays there, so a line that breaks now and then is got over.
            if (!isUnreachable(thrown) || arrived.paths === before || watch.signal.aborted) throw thrown;
            context.log(`the connection was lost after ${arrived.paths} paths; the rest takes another one`);
            opening = reach(request, watch);
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

/** Not again for the rest that another connection takes. */
function tellOnce({ request, context, lacked }: Run, missing: readonly PathInfo[], bytes: number): void {
  if (missing.length < lacked.size) return;
  context.log(`sending ${missing.length} paths, ${bytes} bytes, to ${request.connection.address}`);
}

function whereOf({ connection }: PushRequest): string {
  return `${connection.address}:${connection.port}`;
}
