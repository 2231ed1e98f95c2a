import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { FleetError } from '../../shared/domain/errors.ts';
import { createRedactor } from '../../shared/platform/redact.ts';
import type { RemoteTimes } from './git-program-remote.ts';
import type {
  IsomorphicAnswer,
  IsomorphicRequest,
  IsomorphicResult,
  IsomorphicTask,
} from './isomorphic-protocol.ts';
import { listedHeads } from './listed-heads.ts';
import type { Mirror } from './mirror.ts';
import { seenRef } from './mirror.ts';
import type { CredentialProvider, FetchDepth, Remote } from './remote.ts';
import { authFailed, refNotFound, unreachable } from './source-failures.ts';
import type { SourceUrl } from './source-url.ts';

export interface IsomorphicAccess {
  readonly url: SourceUrl;
  readonly credential: CredentialProvider;
  readonly times: RemoteTimes;
  /** Of one answer of the server: a pack is held in memory as a whole. */
  readonly maxResponseBytes?: number;
}

const usualMaxResponseBytes = 512 * 1_048_576;
const workerMemoryMb = 1_024;
const newestCommits = 50;

/** Follows the tracked ref over HTTP(S) with isomorphic-git, in a thread of its own that ends at its deadline. */
export function createIsomorphicRemote(
  deps: IsomorphicAccess & { readonly mirror: Mirror; readonly ref: string },
): Remote {
  const { url } = deps.url;
  const thread = createThread();

  async function perform(
    act: IsomorphicTask['act'],
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<IsomorphicResult> {
    const credential = await deps.credential();
    const task: IsomorphicTask = {
      url,
      ref: deps.ref,
      credential,
      requestMs: deadlineMs,
      maxResponseBytes: deps.maxResponseBytes ?? usualMaxResponseBytes,
      act,
    };
    const result = await thread.perform(task, deadlineMs, signal);
    if (result.kind !== 'failed') return result;
    const redact = createRedactor(credential === undefined ? [] : [credential.password]);
    const why = redact(result.message)
      .replaceAll(/\p{Cc}+/gu, ' ')
      .slice(0, 300);
    switch (result.why) {
      case 'auth':
        throw authFailed(url, why);
      case 'ref':
        throw refNotFound(url, deps.ref);
      case 'too-large':
        throw tooLarge(url, why);
      case 'other':
        throw unreachable(url, why);
    }
  }

  return {
    async heads(signal) {
      const result = await perform({ kind: 'heads' }, deps.times.listMs, signal);
      const heads = result.kind === 'heads' ? listedHeads(result.refs, deps.ref) : undefined;
      if (heads === undefined) throw refNotFound(url, deps.ref);
      return heads;
    },
    async fetchTesting(hosts, signal) {
      const { gitDir } = deps.mirror;
      await perform({ kind: 'fetch-testing', gitDir, hosts }, deps.times.fetchMs, signal);
    },
    async fetch(depth, signal) {
      const seen = await deps.mirror.run(['rev-parse', '--quiet', '--verify', seenRef]);
      const first = seen.code !== 0;
      const { gitDir } = deps.mirror;
      try {
        await perform({ kind: 'fetch', gitDir, depth, first }, deps.times.fetchMs, signal);
      } catch (thrown) {
        // A force push to below where the history at hand ends brings all that is older: its newest part will do.
        if (!isTooLarge(thrown) || first || depth.kind !== 'new') throw thrown;
        const newest: FetchDepth = { kind: 'commits', count: newestCommits };
        await perform({ kind: 'fetch', gitDir, depth: newest, first }, deps.times.fetchMs, signal);
      }
    },
    close: () => thread.end(),
  };
}

/** Whether the repository, or this fetch of it, is more than the built-in Git can hold. */
export function isTooLarge(thrown: unknown): boolean {
  return thrown instanceof FleetError && thrown.details?.['limit'] === 'size';
}

function tooLarge(url: string, why: string): FleetError {
  return new FleetError({
    code: 'SOURCE_UNREACHABLE',
    disposition: 'transient',
    message: `the repository ${url} is too large for the built-in Git: ${why}`,
    hint: 'use the Git program for it: adapter `git`, or `auto`, which falls back to it',
    details: { limit: 'size' },
  });
}

/** The compiled worker in production; in a checkout its source, which needs a loader first. */
function startWorker(): Worker {
  const compiled = extname(new URL(import.meta.url).pathname) === '.js';
  const script = new URL(compiled ? './isomorphic-worker.js' : './isomorphic-worker.ts', import.meta.url);
  // Nothing of the environment: no secret of this process belongs there.
  const options = { resourceLimits: { maxOldGenerationSizeMb: workerMemoryMb }, env: {} };
  if (compiled) return new Worker(script, options);
  const tsx = createRequire(import.meta.url).resolve('tsx/package.json');
  const loader = new URL('./dist/esm/api/index.mjs', pathToFileURL(tsx)).href;
  return new Worker(startFromSource, {
    ...options,
    eval: true,
    workerData: { loader, script: script.href },
  });
}

const startFromSource = `
  const { loader, script } = require('node:worker_threads').workerData;
  void import(loader).then(({ register }) => {
    register();
    return import(script);
  });
`;

interface Thread {
  perform(
    task: IsomorphicTask,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<IsomorphicResult>;
  end(): Promise<void>;
}

/** A worker thread that is started when needed, and again after it was ended or ran out of memory. */
function createThread(): Thread {
  let worker: Worker | undefined;
  let count = 0;
  const waiting = new Map<number, (result: IsomorphicResult) => void>();

  function start(): Worker {
    const started = startWorker();
    started.unref();
    started.on('message', (answer: IsomorphicAnswer) => {
      waiting.get(answer.id)?.(answer.result);
    });
    const over = (why: 'too-large' | 'other', message: string): void => {
      if (worker !== started) return;
      worker = undefined;
      for (const settle of [...waiting.values()]) settle({ kind: 'failed', why, message });
    };
    started.on('error', (error) => {
      const memory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      over(
        memory ? 'too-large' : 'other',
        memory ? `more than ${workerMemoryMb} MiB of memory` : error.message,
      );
    });
    started.on('exit', () => over('other', 'the thread ended'));
    return started;
  }

  async function end(): Promise<void> {
    const ending = worker;
    worker = undefined;
    await ending?.terminate();
  }

  return {
    async perform(task, deadlineMs, signal) {
      worker ??= start();
      const running = worker;
      const id = (count += 1);
      return await new Promise<IsomorphicResult>((resolve) => {
        // isomorphic-git cannot be told to stop: its thread goes with it.
        const giveUp = (message: string): void => {
          waiting.get(id)?.({ kind: 'failed', why: 'other', message });
          void end();
        };
        const deadline = setTimeout(() => giveUp(`no answer within ${deadlineMs / 1_000} s`), deadlineMs);
        const cancel = (): void => giveUp('it was given up');
        waiting.set(id, (result) => {
          waiting.delete(id);
          clearTimeout(deadline);
          signal?.removeEventListener('abort', cancel);
          resolve(result);
        });
        if (signal?.aborted === true) return cancel();
        signal?.addEventListener('abort', cancel, { once: true });
        const request: IsomorphicRequest = { id, task };
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
        running.postMessage(request);
      });
    },
    end,
  };
}
