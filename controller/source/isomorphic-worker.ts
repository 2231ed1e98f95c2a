import fs from 'node:fs';
import { parentPort } from 'node:worker_threads';
import git from 'isomorphic-git';
import { createGitHttp, Redirected, ResponseTooLarge } from './isomorphic-http.ts';
import type {
  IsomorphicAnswer,
  IsomorphicRequest,
  IsomorphicResult,
  IsomorphicTask,
} from './isomorphic-protocol.ts';
import { testedName, testingBranchOf } from '../../shared/domain/testing.ts';
import { seenRef, testingRef } from './mirror.ts';
import type { FetchDepth } from './remote.ts';

/**
 * The thread in which isomorphic-git runs: it blocks its event loop for seconds, and its memory is bounded by the
 * one who started it.
 */

/** The first fetch: the whole history of a large repository would take minutes and more than a gigabyte. */
const firstDepth = 50;
const endless = 0x7fffffff;

async function perform(task: IsomorphicTask): Promise<IsomorphicResult> {
  const { credential } = task;
  const common = {
    http: createGitHttp(task),
    url: task.url,
    ...(credential === undefined
      ? {}
      : { onAuth: () => ({ ...credential }), onAuthFailure: () => ({ cancel: true }) }),
  };
  switch (task.act.kind) {
    case 'heads': {
      const refs = await git.listServerRefs({ ...common, prefix: 'refs/heads/', protocolVersion: 2 });
      const followed = refs.filter(({ ref }) => ref === task.ref || testedName(ref) !== undefined);
      return { kind: 'heads', refs: followed.map(({ ref, oid }) => [ref, oid]) };
    }
    case 'fetch-testing': {
      const { gitDir, hosts } = task.act;
      for (const host of hosts) {
        const fetched = await git.fetch({
          ...common,
          fs,
          gitdir: gitDir,
          remote: 'varve',
          // A testing branch that counts is on top of what was just fetched.
          ref: seenRef,
          remoteRef: `refs/heads/${testingBranchOf(host)}`,
          singleBranch: true,
          tags: false,
          cache: {},
        });
        if (fetched.fetchHead === null) continue;
        const ref = testingRef(host);
        await git.writeRef({ fs, gitdir: gitDir, ref, value: fetched.fetchHead, force: true });
      }
      return { kind: 'fetched' };
    }
    case 'fetch': {
      const { gitDir } = task.act;
      const fetched = await git.fetch({
        ...common,
        fs,
        gitdir: gitDir,
        remote: 'varve',
        // What this ref points to is the only commit that the server is told of.
        ref: seenRef,
        remoteRef: task.ref,
        singleBranch: true,
        tags: false,
        // One cache for one operation: it grows without bound.
        cache: {},
        ...depthOf(task.act.depth, task.act.first),
      });
      if (fetched.fetchHead === null)
        return { kind: 'failed', why: 'ref', message: 'the repository is empty' };
      // Without this, every later fetch would bring everything again.
      await git.writeRef({ fs, gitdir: gitDir, ref: seenRef, value: fetched.fetchHead, force: true });
      return { kind: 'fetched' };
    }
  }
}

function depthOf(depth: FetchDepth, first: boolean): { depth?: number } {
  switch (depth.kind) {
    case 'new':
      return first ? { depth: firstDepth } : {};
    case 'commits':
      return { depth: depth.count };
    case 'everything':
      return { depth: endless };
  }
}

function failed(thrown: unknown): IsomorphicResult {
  if (thrown instanceof ResponseTooLarge)
    return { kind: 'failed', why: 'too-large', message: thrown.message };
  if (thrown instanceof Redirected) return { kind: 'failed', why: 'other', message: thrown.message };
  if (thrown instanceof git.Errors.HttpError) {
    const status = thrown.data.statusCode;
    const refused = status === 401 || status === 403;
    const hidden = status === 404 ? ' (there is no such repository, or the credential may not see it)' : '';
    return { kind: 'failed', why: refused ? 'auth' : 'other', message: `HTTP ${status}${hidden}` };
  }
  if (thrown instanceof git.Errors.UserCanceledError) {
    return { kind: 'failed', why: 'auth', message: 'HTTP 401: the credential is not accepted' };
  }
  if (thrown instanceof git.Errors.NotFoundError) {
    return { kind: 'failed', why: 'ref', message: thrown.message };
  }
  if (!(thrown instanceof Error)) return { kind: 'failed', why: 'other', message: 'unknown error' };
  if (thrown.name === 'TimeoutError') return { kind: 'failed', why: 'other', message: 'no answer in time' };
  // The fetch of Node hides what happened (refused, unknown name, bad certificate) in the cause.
  const cause = thrown.cause instanceof Error ? `: ${thrown.cause.message}` : '';
  return { kind: 'failed', why: 'other', message: `${thrown.message}${cause}` };
}

parentPort?.on('message', (request: IsomorphicRequest) => {
  void perform(request.task)
    .catch(failed)
    .then((result) => {
      const answer: IsomorphicAnswer = { id: request.id, result };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      parentPort?.postMessage(answer);
    });
});
