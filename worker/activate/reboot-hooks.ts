import type { Deployment } from '../../shared/domain/deployment.ts';
import { type Failure, failureOf } from '../../shared/domain/errors.ts';
import { type Connection, sameConnection } from '../../shared/domain/fleet.ts';
import type { Hook } from '../../shared/domain/policy.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { ActivateOutcome, StepContext } from '../../shared/platform/ports/steps.ts';
import type { Session } from '../ssh/session.ts';
import type { Ssh } from '../ssh/ssh.ts';
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

/** What goes before a reboot, and after it; nothing around other activations. */
export interface Hooks {
  /**
   * Takes work off a host that has not begun; gives why it must be left alone.
   * @throws FleetError when the connection is lost: it may be drained, or not
   */
  before(session: Session): Promise<Failure | undefined>;
  /** Gives the host its work back, unless nobody knows whether it is up again, or nothing was taken. */
  after(outcome: ActivateOutcome): Promise<ActivateOutcome>;
}

export function createHooks(deps: RebootHookDeps, deployment: Deployment, context: StepContext): Hooks {
  const hook = deployment.reboot?.drain;
  let began = false;
  let drained = hook === undefined;
  return {
    async before(session) {
      if (hook === undefined || drained) return undefined;
      began = true;
      const said = await runHook(deps, deployment, hook, 'drain', context, session);
      drained = said.kind !== 'failed';
      if (said.kind !== 'failed') return undefined;
      // A host that lets us do nothing (another Varve owns it) has lost nothing either.
      began = said.why.code === 'NOT_READY';
      return said.why;
    },
    async after(outcome) {
      // A host that could not go back is for people; who knows what it would do with work.
      if (outcome.kind === 'unknown' || (outcome.kind === 'ended' && outcome.end.kind === 'stuck'))
        return outcome;
      if (outcome.kind === 'refused' && !began) return outcome;
      const flaw = await undrain(deps, deployment, context);
      const succeeded = outcome.kind === 'ended' && outcome.end.kind === 'succeeded';
      return succeeded && flaw !== undefined ? { ...outcome, end: { kind: 'succeeded', flaw } } : outcome;
    },
  };
}

/**
 * Whether the drain before this reboot has begun, by whichever worker: from then on the host is not judged by how it is.
 * @throws FleetError when the connection is lost
 */
export async function hasBegunToDrain(
  session: Session,
  deployment: Deployment,
  signal: AbortSignal,
): Promise<boolean> {
  const answer = await askGuard(session, deployment, [['action', 'reboot']], 0, signal);
  return answer?.kind === 'known' || answer?.kind === 'draining';
}

/** The failure is for people: it undoes nothing. */
async function undrain(
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

/** The guard runs it, as it does the commands among the health checks; without a command it only says what it knows. */
async function runHook(
  deps: RebootHookDeps,
  deployment: Deployment,
  hook: Hook,
  what: 'drain' | 'undrain',
  context: StepContext,
  session?: Session,
): Promise<Said> {
  const { signal } = context;
  context.log(`${what}: ${hook.kind === 'command' ? hook.command.join(' ') : hook.name}`);
  if (what === 'drain' || hook.kind === 'command') {
    const said = meaning(what, await onHost(deps, deployment, hook, what, signal, session));
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

async function onHost(
  { ssh }: RebootHookDeps,
  deployment: Deployment,
  hook: Hook,
  what: 'drain' | 'undrain',
  signal: AbortSignal,
  open: Session | undefined,
): Promise<GuardAnswer | undefined> {
  const request: [string, string | number][] =
    what === 'drain'
      ? [
          ['action', 'reboot'],
          ['drains', 1],
        ]
      : [];
  if (hook.kind === 'command') {
    request.push(['seconds', Math.max(1, Math.ceil(hook.timeoutMs / 1_000))]);
    for (const word of hook.command) request.push(['argument', word]);
  }
  if (open !== undefined) return askGuard(open, deployment, request, hook.timeoutMs, signal);
  const session = await ssh.firstReachable(waysBack(deployment), { signal, deadlineMs: connectDeadlineMs });
  try {
    return await askGuard(session, deployment, request, hook.timeoutMs, signal);
  } finally {
    session.close();
  }
}

async function askGuard(
  session: Session,
  { id, owner }: Deployment,
  request: GuardCall['request'],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<GuardAnswer | undefined> {
  let answer: GuardAnswer | undefined;
  await callGuard(session, {
    verb: 'hook',
    request: [['deployment', id], ['owner', owner], ...request],
    deadlineMs: timeoutMs + 30_000,
    signal,
    onAnswer: (each) => void (answer = each),
  });
  return answer;
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

/** After a reboot it is likelier the new system that answers. */
function waysBack({ known, next }: Deployment): readonly Connection[] {
  return [next, ...known.filter((connection) => !sameConnection(connection, next))];
}
