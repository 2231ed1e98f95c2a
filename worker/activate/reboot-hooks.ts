import type { Deployment } from '../../shared/domain/deployment.ts';
import { type Failure, failureOf } from '../../shared/domain/errors.ts';
import { type Connection, sameConnection } from '../../shared/domain/fleet.ts';
import type { Hook } from '../../shared/domain/policy.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { ActivateOutcome, StepContext } from '../../shared/platform/ports/steps.ts';
import type { Checks } from '../checks/checks.ts';
import type { Session } from '../ssh/session.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { hasBefore, notReady, problemBefore } from './before.ts';
import { callGuard, type GuardAnswer, type GuardCall } from './guard-client.ts';

/**
 * Runs a command that the service configuration names. Gives what went wrong, for people; `undefined`: nothing.
 * @throws FleetError CANCELLED
 */
export type RunNamedCommand = (
  name: string,
  subject: {
    readonly host: string;
    readonly address: string;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
) => Promise<string | undefined>;

export interface RebootHookDeps {
  readonly ssh: Ssh;
  readonly checks: Checks;
  readonly clock: Clock;
  readonly runNamedCommand: RunNamedCommand;
}

/** What the host says besides running a hook's command: that the deployment began long ago. */
type Said =
  | { readonly kind: 'done' }
  | { readonly kind: 'known' }
  | { readonly kind: 'failed'; why: Failure };

const connectDeadlineMs = 10_000;
const undrainTries = 3;
const pauseMs = 1_000;

/**
 * Takes work off a host before it is rebooted; gives the outcome where it must not be rebooted. A host that has a record
 * of the deployment was drained before: that is asked first, and then the checks that come before an activation, which
 * would not say the same of it once it is drained. What cannot be found out is `unknown`, and tried again.
 */
export async function drain(
  deps: RebootHookDeps,
  deployment: Deployment,
  context: StepContext,
): Promise<ActivateOutcome | undefined> {
  const hook = deployment.reboot?.drain;
  if (hook === undefined) return undefined;
  try {
    let said = await askFirst(deps, deployment, context.signal);
    if (said.kind === 'done') said = await runHook(deps, deployment, hook, 'drain', context);
    if (said.kind !== 'failed') return undefined;
    context.log(`not rebooted: ${said.why.message}`);
    return { kind: 'refused', failure: said.why };
  } catch (thrown) {
    return { kind: 'unknown', failure: failureOf(thrown) };
  }
}

/** Gives a host its work back, whether it was rebooted or not. The failure is for people: it undoes nothing. */
export async function undrain(
  deps: RebootHookDeps,
  deployment: Deployment,
  context: StepContext,
): Promise<Failure | undefined> {
  const hook = deployment.reboot?.undrain;
  if (hook === undefined) return undefined;
  let failure: Failure | undefined;
  for (let tries = 1; tries <= undrainTries && !context.signal.aborted; tries += 1) {
    try {
      const said = await runHook(deps, deployment, hook, 'undrain', context);
      if (said.kind !== 'failed') return undefined;
      failure = said.why;
      break;
    } catch (thrown) {
      failure = failureOf(thrown);
      await deps.clock.sleep(pauseMs, context.signal);
    }
  }
  if (failure !== undefined) context.log(`it may still be drained: ${failure.message}`);
  return failure;
}

async function runHook(
  deps: RebootHookDeps,
  deployment: Deployment,
  hook: Hook,
  what: 'drain' | 'undrain',
  context: StepContext,
): Promise<Said> {
  const { signal } = context;
  context.log(`${what}: ${hook.kind === 'command' ? hook.command.join(' ') : hook.name}`);
  if (what === 'drain' || hook.kind === 'command') {
    const said = await overSession(deps, deployment, what, signal, (session) =>
      callHook(session, deployment, hook, what, signal),
    );
    if (hook.kind === 'command' || said.kind !== 'done') return said;
  }
  const subject = {
    host: deployment.host,
    address: deployment.next.address,
    timeoutMs: hook.timeoutMs,
    signal,
  };
  const problem = await deps.runNamedCommand(hook.name, subject);
  return problem === undefined ? { kind: 'done' } : hookFailed(what, problem);
}

/** Whether it is to be left alone: then it is not drained either. */
async function askFirst(deps: RebootHookDeps, deployment: Deployment, signal: AbortSignal): Promise<Said> {
  if (!hasBefore(deployment)) return { kind: 'done' };
  return overSession(deps, deployment, 'drain', signal, async (session) => {
    const said = await callHook(session, deployment, undefined, 'drain', signal);
    if (said.kind !== 'done') return said;
    const problem = await problemBefore(deps.checks, deployment, session, signal);
    return problem === undefined ? said : { kind: 'failed', why: notReady(problem) };
  });
}

async function overSession<Result>(
  { ssh }: RebootHookDeps,
  deployment: Deployment,
  what: 'drain' | 'undrain',
  signal: AbortSignal,
  act: (session: Session) => Promise<Result>,
): Promise<Result> {
  const session = await ssh.firstReachable(waysTo(deployment, what), {
    signal,
    deadlineMs: connectDeadlineMs,
  });
  try {
    return await act(session);
  } finally {
    session.close();
  }
}

/** The guard runs it, as it does the commands among the health checks; without a command it only says what it knows. */
async function callHook(
  session: Session,
  deployment: Deployment,
  hook: Hook | undefined,
  what: 'drain' | 'undrain',
  signal: AbortSignal,
): Promise<Said> {
  const request: [string, string | number][] = [
    ['deployment', deployment.id],
    ['owner', deployment.owner],
  ];
  if (what === 'drain') request.push(['action', 'reboot']);
  if (hook?.kind === 'command') {
    request.push(['seconds', Math.max(1, Math.ceil(hook.timeoutMs / 1_000))]);
    for (const word of hook.command) request.push(['argument', word]);
  }
  let answer: GuardAnswer | undefined;
  const call: GuardCall = {
    verb: 'hook',
    request,
    deadlineMs: (hook?.timeoutMs ?? 0) + 30_000,
    signal,
    onAnswer: (each) => void (answer = each),
  };
  await callGuard(session, call);
  return meaning(what, answer);
}

function meaning(what: 'drain' | 'undrain', answer: GuardAnswer | undefined): Said {
  switch (answer?.kind) {
    case 'healthy':
      return { kind: 'done' };
    case 'known':
      return { kind: 'known' };
    case 'refused':
      return { kind: 'failed', why: answer.failure };
    case 'unhealthy':
      return hookFailed(what, answer.text);
    default:
      return hookFailed(what, 'the host did not say how it ended');
  }
}

function hookFailed(what: 'drain' | 'undrain', problem: string): Said {
  return {
    kind: 'failed',
    why: {
      code: 'NOT_READY',
      disposition: 'transient',
      message: `its ${what} hook failed: ${problem}`,
      hint:
        what === 'drain'
          ? 'the host was left alone; it is tried again by itself'
          : 'give the host its work back by hand',
    },
  };
}

/** The system before is what answers before the reboot; afterwards it is likelier the new one. */
function waysTo({ known, next }: Deployment, what: 'drain' | 'undrain'): readonly Connection[] {
  const others = known.filter((connection) => !sameConnection(connection, next));
  if (what === 'undrain') return [next, ...others];
  return known.length > 0 ? [...known, next] : [next];
}
