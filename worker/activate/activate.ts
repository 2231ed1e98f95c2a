import type { Deployment } from '../../shared/domain/deployment.ts';
import { type Failure, failureOf } from '../../shared/domain/errors.ts';
import { type Connection, sameConnection } from '../../shared/domain/fleet.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { FaultPoint } from '../../shared/platform/ports/faults.ts';
import type { ActivationEvent, StepContext, Steps } from '../../shared/platform/ports/steps.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { confirm } from './confirm.ts';
import { callGuard, startRequest } from './guard-client.ts';
import { type RecordView, createRecordView } from './record-view.ts';

export interface ActivateDeps {
  readonly ssh: Ssh;
  readonly clock: Clock;
  readonly faultPoint: FaultPoint;
}

/** How often the host is tried before anything is known to have been started there. */
const firstTries = 3;
const retryMs = 250;
/** What the guard may need besides its own deadlines: stopping units, a probe that looks in between. */
const graceMs = 30_000;

/**
 * Starts the guard or attaches to it, confirms what it switched to over fresh connections, and waits for the end that
 * the host's record tells. Two streams can bring that end, the one that started the guard and the one that
 * acknowledged: whatever connection survives the switch.
 */
export function createActivate(deps: ActivateDeps): Steps['activate'] {
  return async (deployment, context, onEvent) => {
    const events = createEventChain(onEvent, context);
    const over = new AbortController();
    const signal = AbortSignal.any([context.signal, over.signal]);
    let confirmation: Promise<boolean> | undefined;
    const record: RecordView = createRecordView({
      now: () => deps.clock.now(),
      log: (line) => context.log(line),
      onSwitched: () => {
        events.push({ kind: 'switched', previous: record.previous });
        if (deployment.action === 'activate') {
          confirmation = confirm(deps, deployment, record, signal, (line) => context.log(line));
        }
      },
      onRollingBack: (failure) => {
        context.log(`rolling back: ${failure.message}`);
        events.push({ kind: 'roll-back-started', failure });
      },
      // Followers that are still connected, and tries to confirm, have nothing to wait for.
      onEnd: () => over.abort(),
    });

    const lastFailure = await followToTheEnd(deps, deployment, record, signal);
    over.abort();
    const witnessed = (await confirmation) ?? false;
    await events.settled();
    if (record.refused !== undefined) return { kind: 'refused', failure: record.refused };
    const end = record.end(witnessed);
    return end === undefined ? { kind: 'unknown', failure: unknown(lastFailure) } : { kind: 'ended', end };
  };
}

/** Keeps one stream open, over whichever connection works, until the record ends or its last deadline is long past. */
async function followToTheEnd(
  deps: ActivateDeps,
  deployment: Deployment,
  record: RecordView,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const { activationMs, confirmMs } = deployment.timeouts;
  const until = deps.clock.now() + 3 * activationMs + confirmMs + graceMs;
  let failure: Failure | undefined;
  for (let tries = 1; !signal.aborted; tries += 1) {
    try {
      const session = await deps.ssh.firstReachable(candidates(deployment), { signal });
      try {
        await deps.faultPoint('before-guard-send');
        const sent = callGuard(session, {
          verb: 'start',
          request: startRequest(deployment),
          deadlineMs: Math.max(1_000, until - deps.clock.now()),
          signal,
          onAnswer: record.open(),
        });
        await Promise.all([sent, deps.faultPoint('after-guard-send')]);
      } finally {
        session.close();
      }
    } catch (thrown) {
      failure = failureOf(thrown);
    }
    if (record.ended || record.refused !== undefined) return undefined;
    if (deps.clock.now() >= until || (!record.exists && tries >= firstTries)) break;
    await deps.clock.sleep(retryMs, signal);
  }
  return failure;
}

/** What the last confirmed generation said, then what the new one says. */
function candidates(deployment: Deployment): readonly Connection[] {
  const { known, next } = deployment;
  return known.some((connection) => sameConnection(connection, next)) ? known : [...known, next];
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

function unknown(cause: Failure | undefined): Failure {
  return {
    code: 'OUTCOME_UNKNOWN',
    disposition: 'transient',
    message: `contact with the host was lost${cause === undefined ? '' : `: ${cause.message}`}`,
    hint: 'the host decides by itself; a probe brings the outcome',
    ...(cause === undefined ? {} : { details: { cause: cause.code, ...cause.details } }),
  };
}
