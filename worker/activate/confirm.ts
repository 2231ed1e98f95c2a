import { checkedShare } from '../../shared/domain/check.ts';
import type { Deployment } from '../../shared/domain/deployment.ts';
import { failureOf } from '../../shared/domain/errors.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { FaultPoint } from '../../shared/platform/ports/faults.ts';
import type { StepContext } from '../../shared/platform/ports/steps.ts';
import { type Checks, type Problem, firstProblem } from '../checks/checks.ts';
import type { Session } from '../ssh/session.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { type GuardAnswer, type GuardCall, callGuard, oneLine } from './guard-client.ts';
import type { RecordView } from './record-view.ts';
import { type Witness, isHostsFault } from './witness.ts';

export interface ConfirmDeps {
  readonly ssh: Ssh;
  readonly checks: Checks;
  readonly clock: Clock;
  readonly faultPoint: FaultPoint;
}

/** Between two tries to get through: short at first, while sshd may just be restarting. */
const shortestPauseMs = 150;
const longestPauseMs = 2_000;
/** sshd (since 9.8) shuts out who fails to log in too often: five seconds for each failure. */
const afterRefusalMs = 4_500;
/** A try that hangs says less than several that fail. */
const connectDeadlineMs = 5_000;
/** The guard counts hundredths of a second. Whatever the settle time, it looks at the units once when it acknowledges. */
const leastSettleMs = 10;

/**
 * Proves over fresh connections that the host is reachable and healthy, and acknowledges, or rejects at once on
 * evidence. Ends with the confirmation window or the record, whichever is first.
 */
export async function confirm(
  deps: ConfirmDeps,
  deployment: Deployment,
  record: RecordView,
  witness: Witness,
  context: Pick<StepContext, 'signal' | 'log'>,
): Promise<void> {
  const { clock } = deps;
  const { signal } = context;
  const until = (record.switchedAt ?? clock.now()) + (record.windowMs ?? deployment.timeouts.confirmMs);
  let said = '';
  let pauseMs = shortestPauseMs;
  let way = deployment.next;
  while (!signal.aborted && !record.ended && clock.now() < until) {
    const began = clock.now();
    const deadlineMs = Math.max(200, Math.min(connectDeadlineMs, until - began));
    let connected = false;
    try {
      const session = await deps.ssh.fresh(way, { signal, deadlineMs });
      connected = true;
      try {
        await overFreshConnection(deps, deployment, record, session, { signal, until });
      } finally {
        session.close();
      }
    } catch (thrown) {
      const failure = failureOf(thrown);
      const { code, message } = failure;
      if (!connected && isHostsFault(failure)) witness.triedInVain(began, clock.now());
      if (!connected) way = way === deployment.next ? (deployment.nextFallback ?? way) : deployment.next;
      pauseMs = Math.min(pauseMs * 1.25, longestPauseMs);
      if (code === 'HOST_AUTH_FAILED') pauseMs = Math.max(pauseMs, afterRefusalMs);
      if (message !== said && !signal.aborted) context.log(`not confirmed yet: ${message}`);
      said = message;
    }
    if (!record.ended) await clock.sleep(Math.min(pauseMs, Math.max(until - clock.now(), 0)), signal);
  }
}

/** One exec of the guard about the deployment. */
type Call = (
  verb: GuardCall['verb'],
  request: GuardCall['request'],
  onAnswer: (answer: GuardAnswer) => void,
  stop?: AbortSignal,
) => Promise<void>;

async function overFreshConnection(
  deps: ConfirmDeps,
  deployment: Deployment,
  record: RecordView,
  session: Session,
  window: { readonly signal: AbortSignal; readonly until: number },
): Promise<void> {
  const { signal, until } = window;
  const left = Math.max(1, until - deps.clock.now());
  const call: Call = async (verb, request, onAnswer, stop = signal) => {
    // Acknowledging and rejecting go on with following the record, until its end.
    const deadlineMs = left + 2 * deployment.timeouts.activationMs + 30_000;
    await callGuard(session, {
      verb,
      request: [['deployment', deployment.id], ...request],
      deadlineMs,
      signal: stop,
      onAnswer,
    });
  };
  const reject = (code: 'CHECK_FAILED' | 'UNITS_FAILED', text: string): Promise<void> =>
    call(
      'reject',
      [
        ['code', code],
        ['text', oneLine(text)],
      ],
      record.open(),
    );

  const { host, toplevel, id, timeouts, unitFailures, checks } = deployment;
  const subject = { host, session, toplevel, deployment: id };
  const checkedUntil = performance.now() + left * checkedShare;
  const problem = await firstProblem(signal, [
    ...((timeouts.settleMs >= leastSettleMs && unitFailures !== 'ignore') ||
    // It may answer long before it has started all that it should.
    deployment.action === 'reboot'
      ? [(stop: AbortSignal) => settle(Math.min(timeouts.settleMs, left * 0.7), stop, call)]
      : []),
    ...checks
      .filter((check) => !check.before)
      .map(
        (check) => (stop: AbortSignal) =>
          deps.checks.passes(check, subject, { patient: true, until: checkedUntil, signal: stop }),
      ),
  ]);
  if (signal.aborted || record.ended) return;
  if (problem !== undefined) return reject('CHECK_FAILED', problem);

  await deps.faultPoint('before-acknowledge');
  let unhealthy: string | undefined;
  const feed = record.open();
  await call('acknowledge', [], (answer) => {
    if (answer.kind === 'unhealthy') unhealthy = answer.text;
    else feed(answer);
  });
  await deps.faultPoint('after-acknowledge');
  if (unhealthy !== undefined) await reject('UNITS_FAILED', unhealthy);
}

/** Whether units fail, or are started again and again, while they are watched. */
async function settle(settleMs: number, stop: AbortSignal, call: Call): Promise<Problem> {
  let verdict: Problem = 'the units on the host were not watched to the end';
  await call(
    'check',
    [['settle', Math.round(settleMs)]],
    (answer) => {
      if (answer.kind === 'healthy') verdict = undefined;
      if (answer.kind === 'unhealthy') verdict = answer.text;
      if (answer.kind === 'refused') verdict = answer.failure.message;
    },
    stop,
  );
  return verdict;
}
