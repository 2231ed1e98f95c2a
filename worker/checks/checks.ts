import { type Check, type CheckResult, checkName } from '../../shared/domain/check.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { DeploymentId, HostName, StorePath } from '../../shared/domain/names.ts';
import type { Run } from '../../shared/platform/exec.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { Session } from '../ssh/session.ts';
import { cancelled } from '../ssh/ssh-errors.ts';
import { askCommand, askUnit } from './ask-host.ts';
import { askHttp, askTcp } from './ask-network.ts';
import { askPrometheus } from './ask-prometheus.ts';
import { type NamedCommand, askWorkerCommand } from './ask-worker.ts';

export interface ChecksDeps {
  readonly clock: Clock;
  readonly run: Run;
  /** What the service configuration lets a repository name. */
  readonly commands: ReadonlyMap<string, NamedCommand>;
}

/** Who is checked, and over which connection. */
export interface Subject {
  readonly host: HostName;
  readonly session: Session;
  readonly toplevel: StorePath | undefined;
  /** While one is under way. */
  readonly deployment: DeploymentId | undefined;
}

/** Why a host is not healthy, for people; `undefined`: it is. */
export type Problem = string | undefined;

export interface Checks {
  /**
   * Whether the check passes often enough in a row before `until` (by `performance.now()`). `patient`: services may
   * take a moment, a try that fails is followed by another.
   * @throws FleetError HOST_UNREACHABLE when the connection to the host is lost, CANCELLED
   */
  passes(
    check: Check,
    subject: Subject,
    options: { readonly patient: boolean; readonly until: number; readonly signal: AbortSignal },
  ): Promise<Problem>;
  /**
   * What each check says of a host at rest. One lost packet makes nobody ill: only what fails twice has failed.
   * @throws FleetError HOST_UNREACHABLE when the connection to the host is lost, CANCELLED
   */
  results(checks: readonly Check[], subject: Subject, signal: AbortSignal): Promise<readonly CheckResult[]>;
}

/** A host at rest is not looked at for longer than this between the two tries. */
const longestSecondThoughtMs = 5_000;

/** At first tries come sooner than the interval: a service may just be starting. */
const firstPauseMs = 100;

export function createChecks(deps: ChecksDeps): Checks {
  const { clock } = deps;

  /** Whoever is not wanted any more, or has lost the way to the host, knows nothing of its health. */
  async function ask(
    check: Check,
    subject: Subject,
    timeoutMs: number,
    outer: AbortSignal,
  ): Promise<Problem> {
    const problem = await askOnce(check, subject, timeoutMs, outer);
    if (problem !== undefined && outer.aborted) throw cancelled();
    return problem;
  }

  function askOnce(check: Check, subject: Subject, timeoutMs: number, outer: AbortSignal): Promise<Problem> {
    const signal = AbortSignal.any([outer, AbortSignal.timeout(Math.ceil(timeoutMs))]);
    const { session } = subject;
    switch (check.kind) {
      case 'unit':
        return askUnit(session, check.name, timeoutMs, outer);
      case 'command':
        return askCommand(session, check.command, timeoutMs, outer);
      case 'http':
        return askHttp(check.url, check.status, signal);
      case 'tcp':
        return askTcp(session.connection.address, check.port, signal);
      case 'prometheus':
        return askPrometheus(check.url, check.query, check.bounds, signal);
      case 'worker':
        return askWorkerCommand(check.name, deps.commands.get(check.name), {
          run: deps.run,
          environment: environmentOf(subject),
          timeoutMs,
          signal: outer,
        });
    }
  }

  async function result(check: Check, subject: Subject, signal: AbortSignal): Promise<CheckResult> {
    const { intervalMs, timeoutMs } = check;
    const name = checkName(check);
    let problem = await askAtRest();
    if (problem !== undefined) {
      await clock.sleep(Math.min(intervalMs, longestSecondThoughtMs), signal);
      problem = await askAtRest();
    }
    if (problem === undefined) return { name, healthy: true, intervalMs };
    return { name, healthy: false, message: problem, intervalMs };

    /** A host that is there, and lets nobody ask (it takes too few commands at once), is not lost. */
    async function askAtRest(): Promise<Problem> {
      try {
        return await ask(check, subject, timeoutMs, signal);
      } catch (thrown) {
        const isThere =
          thrown instanceof FleetError && thrown.code === 'HOST_UNREACHABLE' && subject.session.isOpen();
        if (isThere) return `${name}: ${thrown.message}`;
        throw thrown;
      }
    }
  }

  return {
    async passes(check, subject, { patient, until, signal }) {
      const { intervalMs, successes } = check;
      let said: Problem;
      for (let passed = 0, tries = 0; ; tries += 1) {
        const left = Math.max(1, until - performance.now());
        const found = await ask(check, subject, Math.min(check.timeoutMs, left), signal);
        // A try that the end of the window cut short says less than the one before it.
        const problem = found !== undefined && left < check.timeoutMs ? (said ?? found) : found;
        said = problem;
        passed = problem === undefined ? passed + 1 : 0;
        if (passed >= successes) return undefined;
        if (problem !== undefined && !patient) return problem;
        const pauseMs = passed > 0 ? intervalMs : Math.min(intervalMs, firstPauseMs * 2 ** tries);
        if (performance.now() + pauseMs >= until) {
          return (
            problem ??
            `in the time there was, ${checkName(check)} passed ${passed} of ${successes} times in a row`
          );
        }
        await clock.sleep(pauseMs, signal);
      }
    },
    async results(checks, subject, signal) {
      const stop = new AbortController();
      const either = AbortSignal.any([signal, stop.signal]);
      try {
        return await Promise.all(checks.map((check) => result(check, subject, either)));
      } finally {
        stop.abort();
      }
    },
  };
}

function environmentOf({ host, session, toplevel, deployment }: Subject): Record<string, string> {
  return {
    VARVE_HOST: host,
    VARVE_ADDRESS: session.connection.address,
    ...(toplevel === undefined ? {} : { VARVE_TOPLEVEL: toplevel }),
    ...(deployment === undefined ? {} : { VARVE_DEPLOYMENT: deployment }),
  };
}

/** Does all of it at once. The first problem there is ends the rest; `undefined`: there was none. */
export function firstProblem(
  signal: AbortSignal,
  works: readonly ((signal: AbortSignal) => Promise<Problem>)[],
): Promise<Problem> {
  if (works.length === 0) return Promise.resolve(undefined);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let open = works.length;
  const first = new Promise<Problem>((resolve, reject) => {
    for (const work of works) {
      work(either).then((problem) => {
        open -= 1;
        if (problem !== undefined || open === 0) resolve(problem);
      }, reject);
    }
  });
  return first.finally(() => stop.abort());
}
