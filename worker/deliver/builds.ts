import { setTimeout as pause } from 'node:timers/promises';

import { FleetError } from '../../shared/domain/errors.ts';
import type { DrvPath, StorePath } from '../../shared/domain/names.ts';
import type { StepContext } from '../../shared/platform/ports/steps.ts';
import { failureText } from '../nix/failure-text.ts';
import type { Nix, NixResult } from '../nix/nix.ts';
import type { NixStore } from '../nix/store.ts';
import { buildError, buildLimit, isDiskFull, knownBadError, workerDiskFull } from './build-errors.ts';
import { type BuildLog, createBuildLog } from './build-log.ts';

export interface BuildRequest {
  readonly drvPath: DrvPath;
  readonly toplevel: StorePath;
  readonly knownBad: readonly DrvPath[];
  readonly deadlineMs: number;
}

/** Makes toplevels valid on this worker. */
export interface Builds {
  /**
   * Builds (or substitutes) what is missing. Requests that need the same derivation share its one build; the count
   * is of the builds that were started for this request and for no other.
   * @throws FleetError BUILD_FAILED, BUILD_LIMIT, DISK_FULL, RELEASE_MISMATCH, CANCELLED
   */
  realise(request: BuildRequest, context: StepContext): Promise<{ readonly builds: number }>;
}

/** One request, with what it needs. */
interface Member {
  readonly request: BuildRequest;
  readonly context: StepContext;
  readonly needs: ReadonlySet<string>;
}

/** One process that builds for one or more requests. */
interface Session {
  readonly members: Member[];
  readonly needs: Set<string>;
  /** No more members: the process has been started. */
  sealed: boolean;
  readonly log: BuildLog;
  readonly abort: AbortController;
  readonly end: Promise<NixResult>;
  /** Derivations that were counted for some member. */
  readonly counted: Set<string>;
  left: number;
}

/** Requests of one commit come within moments: they are better built by one process, which knows them all. */
const gatherMs = 10;

export function createBuilds(deps: { readonly nix: Nix; readonly store: NixStore }): Builds {
  const { nix, store } = deps;
  const sessions = new Set<Session>();

  const open = (): Session => {
    const members: Member[] = [];
    const abort = new AbortController();
    const log = createBuildLog((line, drvPath) => {
      for (const { context, needs } of members) {
        if (drvPath === undefined || needs.has(drvPath)) context.log(line);
      }
    });
    const end = pause(gatherMs).then(() => {
      session.sealed = true;
      return build(session);
    });
    const session: Session = {
      members,
      needs: new Set(),
      sealed: false,
      log,
      abort,
      end,
      counted: new Set(),
      left: 0,
    };
    sessions.add(session);
    end.catch(() => {}).finally(() => sessions.delete(session));
    return session;
  };

  const build = (session: Session): Promise<NixResult> => {
    const drvs = new Set(session.members.map(({ request }) => request.drvPath));
    return nix.run(['nix-store', '--realise', '--keep-going', ...drvs], {
      signal: session.abort.signal,
      deadlineMs: Math.max(...session.members.map(({ request }) => request.deadlineMs)),
      onEvent: (event) => {
        session.log.add(event);
        if (event.kind !== 'stopped') return;
        for (const { context, needs } of session.members) {
          const done = [...needs].filter((drvPath) => session.log.ended.has(drvPath)).length;
          context.progress({ what: 'building', done, total: needs.size });
        }
      },
    });
  };

  /** Waits for a session's end, or for the member's own. */
  const wait = async (session: Session, member: Member): Promise<NixResult> => {
    const { signal } = member.context;
    const deadline = AbortSignal.timeout(member.request.deadlineMs);
    const leave = AbortSignal.any([signal, deadline]);
    let onAbort = (): void => {};
    const left = new Promise<never>((_, reject) => {
      onAbort = () => reject(gone(member, signal.aborted));
      if (leave.aborted) onAbort();
      else leave.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([session.end, left]);
    } catch (thrown) {
      const late = thrown instanceof FleetError && thrown.code === 'TIMED_OUT';
      throw late ? gone(member, false) : thrown;
    } finally {
      leave.removeEventListener('abort', onAbort);
      session.left += 1;
      if (session.left === session.members.length) session.abort.abort();
    }
  };

  const join = async (session: Session, member: Member): Promise<{ readonly builds: number }> => {
    session.members.push(member);
    for (const drvPath of member.needs) session.needs.add(drvPath);
    const result = await wait(session, member);
    const mine = [...member.needs].filter(
      (drvPath) => session.log.started.has(drvPath) && !session.counted.has(drvPath),
    );
    for (const drvPath of mine) session.counted.add(drvPath);
    const { toplevel } = member.request;
    // What was realised is printed; after a failure elsewhere in the session nothing is.
    const printed = result.code === 0 && result.stdout.toString('utf8').split('\n').includes(toplevel);
    if (!printed) {
      const invalid = await store.invalid([toplevel], { signal: member.context.signal });
      if (invalid.has(toplevel)) throw whyInvalid(session, member, result);
    }
    return { builds: mine.length };
  };

  return {
    async realise(request, context) {
      // What this request waited for: a build that failed there is not tried again for it.
      const waitedFor: Session[] = [];
      for (;;) {
        const { signal } = context;
        const plan = await store.plan(request.drvPath, { signal });
        const needs = new Set(plan.willBuild);
        const bad = request.knownBad.find((drvPath) => needs.has(drvPath));
        if (bad !== undefined) throw knownBadError(bad, request.drvPath);
        for (const session of waitedFor) refuseFailed(session, needs, request.drvPath);
        const member: Member = { request, context, needs };
        const others = [...sessions].filter((session) => overlaps(session.needs, needs));
        const running = others.filter((session) => session.sealed);
        if (running.length === 0) {
          const gathering = others[0] ?? [...sessions].find((session) => !session.sealed);
          return join(gathering ?? open(), member);
        }
        context.log('waiting for a build that another host needs as well');
        for (const session of running) {
          await waitFor(session, member, signal);
          waitedFor.push(session);
        }
      }
    },
  };
}

async function waitFor(session: Session, member: Member, signal: AbortSignal): Promise<void> {
  const leave = AbortSignal.any([signal, AbortSignal.timeout(member.request.deadlineMs)]);
  let onAbort = (): void => {};
  const left = new Promise<never>((_, reject) => {
    onAbort = () => reject(gone(member, signal.aborted));
    leave.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([session.end.then(noResult, noResult), left]);
  } finally {
    leave.removeEventListener('abort', onAbort);
  }
}

function noResult(): void {}

function overlaps(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  for (const each of b) if (a.has(each)) return true;
  return false;
}

function refuseFailed(session: Session, needs: ReadonlySet<string>, drvPath: DrvPath): void {
  for (const failed of session.log.failures().values()) {
    if (needs.has(failed.drvPath)) throw buildError(failed, drvPath);
  }
}

function whyInvalid(session: Session, member: Member, result: NixResult): FleetError {
  const { drvPath, toplevel } = member.request;
  for (const failed of session.log.failures().values()) {
    if (member.needs.has(failed.drvPath) || failed.drvPath === drvPath) {
      return buildError(failed, drvPath);
    }
  }
  const text = failureText(result);
  if (isDiskFull(text)) return workerDiskFull({ toplevelDerivation: drvPath });
  if (result.code === 0) {
    return new FleetError({
      code: 'RELEASE_MISMATCH',
      disposition: 'stalled',
      message: `${drvPath} was built, and it is not ${toplevel}`,
      hint: 'evaluate the revision again with a new commit; if it happens again, report it',
      details: { toplevelDerivation: drvPath },
    });
  }
  return buildLimit(`the build came to no end: ${text.slice(0, 1_000)}`, {
    toplevelDerivation: drvPath,
  });
}

function gone(member: Member, cancelled: boolean): FleetError {
  const { request } = member;
  if (!cancelled) {
    return buildLimit(`the build took longer than ${request.deadlineMs / 1_000} s`, {
      toplevelDerivation: request.drvPath,
    });
  }
  return new FleetError({
    code: 'CANCELLED',
    disposition: 'transient',
    message: 'the delivery was given up',
  });
}
