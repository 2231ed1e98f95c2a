import { FleetError } from '../../shared/domain/errors.ts';
import type { DrvPath, StorePath } from '../../shared/domain/names.ts';
import type { StepContext } from '../../shared/platform/ports/steps.ts';
import { failureText } from '../nix/failure-text.ts';
import type { Nix, NixResult } from '../nix/nix.ts';
import type { BuildPlan, NixStore } from '../nix/store.ts';
import { buildError, buildLimit, knownBadError, workerDiskFull } from './build-errors.ts';
import { type BuildLog, createBuildLog } from './build-log.ts';
import { isDiskFull } from '../nix/failure-words.ts';
import { type BuildSession, refuseFailed, untilShared } from './build-session.ts';

export interface BuildRequest {
  readonly drvPath: DrvPath;
  readonly toplevel: StorePath;
  readonly knownBad: readonly DrvPath[];
  readonly deadlineMs: number;
  /** Was asked for already, by someone who had something else to ask as well. */
  readonly plan?: BuildPlan;
}

/** Makes toplevels valid on this worker. */
export interface Builds {
  /**
   * Builds (or substitutes) what is missing, in a process of its own, so that nobody waits for what others need.
   * What several requests need is built once, by the first of them; the count is of the builds that were started
   * for this request.
   * @throws FleetError BUILD_FAILED, BUILD_LIMIT, DISK_FULL, RELEASE_MISMATCH, CANCELLED
   */
  realise(request: BuildRequest, context: StepContext): Promise<{ readonly builds: number }>;
}

export function createBuilds(deps: { readonly nix: Nix; readonly store: NixStore }): Builds {
  const { nix, store } = deps;
  const sessions = new Set<BuildSession>();

  /** Known to others before the first thing is awaited. */
  const build = async (
    request: BuildRequest,
    needs: ReadonlySet<string>,
    context: StepContext,
  ): Promise<{ readonly builds: number }> => {
    const { drvPath, toplevel, deadlineMs } = request;
    const { signal } = context;
    const listeners = new Set<() => void>();
    const log = createBuildLog((line) => context.log(line));
    const running = nix.run(['nix-store', '--realise', '--keep-going', drvPath], {
      signal,
      deadlineMs,
      onEvent: (event) => {
        log.add(event);
        if (event.kind === 'stopped') {
          const done = [...needs].filter((each) => log.ended.has(each)).length;
          context.progress({ what: 'building', done, total: needs.size });
        }
        if (event.kind === 'stopped' || event.kind === 'message') for (const look of [...listeners]) look();
      },
    });
    const session: BuildSession = {
      needs,
      log,
      over: running.then(noResult, noResult),
      listen(look) {
        listeners.add(look);
        return () => void listeners.delete(look);
      },
    };
    sessions.add(session);
    try {
      const result = await running.catch((thrown: unknown) => {
        throw thrown instanceof FleetError && thrown.code === 'TIMED_OUT' ? tooLong(request) : thrown;
      });
      // What was realised is printed; after a failure nothing is.
      const printed = result.code === 0 && result.stdout.toString('utf8').split('\n').includes(toplevel);
      if (!printed) {
        const invalid = await store.invalid([toplevel], { signal });
        if (invalid.has(toplevel)) throw whyInvalid(log, request, result);
      }
      return { builds: [...needs].filter((each) => log.started.has(each)).length };
    } finally {
      sessions.delete(session);
    }
  };

  return {
    async realise(request, context) {
      // What this request waited for: a build that failed there is not tried again for it.
      const waitedFor = new Set<BuildSession>();
      let planned = request.plan;
      for (;;) {
        const plan = planned ?? (await store.plan(request.drvPath, { signal: context.signal }));
        planned = undefined;
        const needs = new Set(plan.willBuild);
        const bad = request.knownBad.find((drvPath) => needs.has(drvPath));
        if (bad !== undefined) throw knownBadError(bad, request.drvPath);
        for (const session of waitedFor) refuseFailed(session, needs, request.drvPath);
        const others = [...sessions].filter((session) => overlaps(session.needs, needs));
        if (others.length === 0) return build(request, needs, context);
        context.log('waiting for a build that another host needs as well');
        for (const session of others) {
          await orGone(request, context.signal, untilShared(session, needs, waitedFor.has(session)));
          waitedFor.add(session);
        }
      }
    },
  };
}

/** Waits, but not longer than a build may take, nor for what nobody wants any more. */
async function orGone(request: BuildRequest, signal: AbortSignal, waiting: Promise<void>): Promise<void> {
  const leave = AbortSignal.any([signal, AbortSignal.timeout(request.deadlineMs)]);
  let onAbort = (): void => {};
  const left = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.aborted ? givenUp() : tooLong(request));
    if (leave.aborted) onAbort();
    else leave.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([waiting, left]);
  } finally {
    leave.removeEventListener('abort', onAbort);
  }
}

function noResult(): void {}

function overlaps(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  for (const each of b) if (a.has(each)) return true;
  return false;
}

function whyInvalid(log: BuildLog, { drvPath, toplevel }: BuildRequest, result: NixResult): FleetError {
  for (const failed of log.failures().values()) return buildError(failed, drvPath);
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
  return buildLimit(`the build came to no end: ${text.slice(0, 1_000)}`, { toplevelDerivation: drvPath });
}

function tooLong(request: BuildRequest): FleetError {
  return buildLimit(`the build took longer than ${request.deadlineMs / 1_000} s`, {
    toplevelDerivation: request.drvPath,
  });
}

function givenUp(): FleetError {
  return new FleetError({
    code: 'CANCELLED',
    disposition: 'transient',
    message: 'the delivery was given up',
  });
}
