import { candidates, type Deployment } from '../../shared/domain/deployment.ts';
import { type Failure, failureOf } from '../../shared/domain/errors.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { FaultPoint } from '../../shared/platform/ports/faults.ts';
import type { ActivationEvent, StepContext, Steps } from '../../shared/platform/ports/steps.ts';
import type { Checks } from '../checks/checks.ts';
import type { Session } from '../ssh/session.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { askBefore, notReady } from './before.ts';
import { confirm } from './confirm.ts';
import { callGuard, startRequest } from './guard-client.ts';
import { type Hooks, type RunNamedCommand, createHooks } from './reboot-hooks.ts';
import { type RecordView, createRecordView } from './record-view.ts';
import { type Witness, createWitness, isHostsFault } from './witness.ts';

export interface ActivateDeps {
  readonly ssh: Ssh;
  readonly checks: Checks;
  readonly clock: Clock;
  readonly faultPoint: FaultPoint;
  readonly runNamedCommand: RunNamedCommand;
}

/** How often the host is tried before anything is known to have been started there. */
const firstTries = 3;
const retryMs = 250;
const reconnectDeadlineMs = 5_000;
/** How long streams may go on after the end was heard of. */
const lastWordsMs = 500;
/** What the guard may need besides its own deadlines: stopping units, a probe that looks in between. */
const graceMs = 30_000;

/**
 * Starts the guard or attaches to it, confirms what it switched to over fresh connections, and waits for the end that
 * the host's record tells. Two streams can bring that end, the one that started the guard and the one that
 * acknowledged: whatever connection survives the switch.
 */
export function createActivate(deps: ActivateDeps): Steps['activate'] {
  return async (deployment, context, onEvent) => {
    const hooks = createHooks(deps, deployment, context);
    const events = createEventChain(onEvent, context);
    const over = new AbortController();
    const signal = AbortSignal.any([context.signal, over.signal]);
    const witness = createWitness();
    let confirmation: Promise<void> | undefined;
    let lastWords: NodeJS.Timeout | undefined;
    const record: RecordView = createRecordView({
      now: () => deps.clock.now(),
      log: (line) => context.log(line),
      onSwitched: () => {
        events.push({ kind: 'switched', previous: record.previous });
        if (deployment.action !== 'finalise') {
          confirmation = confirm(deps, deployment, record, witness, { ...context, signal });
        }
      },
      onRollingBack: (failure) => {
        context.log(`rolling back: ${failure.message}`);
        events.push({ kind: 'roll-back-started', failure });
      },
      // A stream ends by itself, after the log; one whose connection is dead never will.
      onEnd: () => {
        lastWords = setTimeout(() => over.abort(), lastWordsMs);
      },
    });

    let leftAlone: Failure | undefined;
    const lastFailure = await followToTheEnd(deps, deployment, record, witness, signal, hooks, (why) => {
      leftAlone = why;
      context.log(`left alone for now: ${why.message}`);
    });
    await confirmation;
    clearTimeout(lastWords);
    over.abort();
    await events.settled();
    if (record.refused !== undefined) {
      const refused = (record.refused.code === 'NOT_READY' ? leftAlone : undefined) ?? record.refused;
      // It did not get as far as looking whether it knows this deployment: it may have started it for another worker.
      if (isUndecided(refused)) return { kind: 'unknown', failure: refused };
      return hooks.after({ kind: 'refused', failure: refused });
    }
    const end = record.end(isWitnessed(deployment, record, witness));
    if (end === undefined) return { kind: 'unknown', failure: unknown(lastFailure) };
    return hooks.after({ kind: 'ended', end, previous: record.previous });
  };
}

/** Whether this worker tried fresh connections in vain for all the time in which the host could have been confirmed. */
function isWitnessed(deployment: Deployment, record: RecordView, witness: Witness): boolean {
  if (deployment.reboot === undefined) {
    const from = record.switchedAt;
    return from !== undefined && witness.covers(from, from + deployment.timeouts.confirmMs);
  }
  const { goesDownAt: from, endedAt: until } = record;
  // Who came late saw little of it.
  if (from === undefined || until === undefined || until - from < deployment.reboot.deadlineMs * 0.75)
    return false;
  return witness.covers(from, until);
}

/** How long the host may be about it before its confirmation is due, in milliseconds, and back again. */
function awayMs({ reboot, timeouts }: Deployment): number {
  const { activationMs } = timeouts;
  if (reboot === undefined) return 3 * activationMs;
  return (reboot.drain?.timeoutMs ?? 0) + 2 * reboot.deadlineMs + 3 * activationMs;
}

/** Keeps one stream open, over whichever connection works, until the record ends or its last deadline is long past. */
async function followToTheEnd(
  deps: ActivateDeps,
  deployment: Deployment,
  record: RecordView,
  witness: Witness,
  signal: AbortSignal,
  hooks: Hooks,
  onLeftAlone: (why: Failure) => void,
): Promise<Failure | undefined> {
  const until = deps.clock.now() + awayMs(deployment) + deployment.timeouts.confirmMs + graceMs;
  let failure: Failure | undefined;
  for (let tries = 1; !signal.aborted; tries += 1) {
    const began = deps.clock.now();
    try {
      const session = await deps.ssh.firstReachable(candidates(deployment), {
        signal,
        ...(record.exists ? { deadlineMs: reconnectDeadlineMs } : {}),
      });
      try {
        await send(deps, deployment, record, session, signal, hooks, onLeftAlone);
      } catch (thrown) {
        failure = failureOf(thrown);
        // One that dies unnoticed is missed only after a while: had it lived when the switch ended, it would have said so.
        if (record.switchedAt === undefined && record.goesDownAt === undefined && isHostsFault(failure)) {
          witness.triedInVain(began, deps.clock.now());
        }
      } finally {
        session.close();
      }
    } catch (thrown) {
      failure = failureOf(thrown);
      // The switch may have cut the connection before it could say that it was done.
      if (isHostsFault(failure)) witness.triedInVain(began, deps.clock.now());
    }
    if (record.ended || record.refused !== undefined) return undefined;
    if (deps.clock.now() >= until || (!record.exists && tries >= firstTries)) break;
    await deps.clock.sleep(retryMs, signal);
  }
  return failure;
}

/**
 * Starts the guard, or attaches to it, and takes in what it says until the record ends. A stream that is silent for
 * longer than a healthy guard would be is given up: attaching again brings a dead one back to its work.
 */
async function send(
  deps: ActivateDeps,
  deployment: Deployment,
  record: RecordView,
  session: Session,
  signal: AbortSignal,
  hooks: Hooks,
  onLeftAlone: (why: Failure) => void,
): Promise<void> {
  const { activationMs, confirmMs } = deployment.timeouts;
  const deadlineMs = activationMs + confirmMs + (deployment.reboot?.deadlineMs ?? 0) + graceMs;
  const readiness = await askBefore(deps.checks, deployment, record, session, { deadlineMs, signal });
  if (readiness.kind === 'known') return;
  const { problem } = readiness;
  const unready = problem === undefined ? undefined : notReady(problem);
  const leftAlone = unready ?? (record.exists ? undefined : await hooks.before(session));
  if (leftAlone !== undefined) onLeftAlone(leftAlone);
  await deps.faultPoint('before-guard-send');
  const call = callGuard(session, {
    verb: 'start',
    request: startRequest(deployment, leftAlone === undefined),
    deadlineMs,
    signal,
    onAnswer: record.open(),
  });
  await Promise.all([call, deps.faultPoint('after-guard-send')]);
}

/** Events one after the other, without holding up the host for them. */
function createEventChain(onEvent: (event: ActivationEvent) => Promise<void>, context: StepContext) {
  let chain = Promise.resolve();
  return {
    push(event: ActivationEvent): void {
      chain = chain.then(async () => {
        try {
          await onEvent(event);
        } catch (thrown) {
          // The host's own record is what counts in the end; live state may be away for a while.
          context.log(`could not be noted: ${failureOf(thrown).message}`);
        }
      });
    },
    settled: () => chain,
  };
}

/** The guard could not get at its records: somebody held their lock for too long. */
function isUndecided({ code, details }: Failure): boolean {
  return code === 'HOST_BUSY' && details?.['lock'] !== undefined;
}

function unknown(cause: Failure | undefined): Failure {
  return {
    code: 'OUTCOME_UNKNOWN',
    disposition: 'transient',
    message: `contact with the host was lost${cause === undefined ? '' : `: ${cause.message}`}`,
    hint: 'the host decides by itself; a probe brings the outcome',
    ...(cause === undefined ? {} : { details: { cause: cause.code, ...cause.details } }),
  };
}
