import type { Deployment } from '../../shared/domain/deployment.ts';
import { failureOf } from '../../shared/domain/errors.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { FaultPoint } from '../../shared/platform/ports/faults.ts';
import type { StepContext } from '../../shared/platform/ports/steps.ts';
import type { Session } from '../ssh/session.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { runWorkerChecks } from './checks.ts';
import { type GuardAnswer, type GuardCall, callGuard, oneLine } from './guard-client.ts';
import type { RecordView } from './record-view.ts';
import { type Witness, isHostsFault } from './witness.ts';

export interface ConfirmDeps {
  readonly ssh: Ssh;
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
  while (!signal.aborted && !record.ended && clock.now() < until) {
    const began = clock.now();
    const deadlineMs = Math.max(200, Math.min(connectDeadlineMs, until - began));
    let connected = false;
    try {
      const session = await deps.ssh.fresh(deployment.next, { signal, deadlineMs });
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
      pauseMs = Math.min(pauseMs * 1.25, longestPauseMs);
      if (code === 'HOST_AUTH_FAILED') pauseMs = Math.max(pauseMs, afterRefusalMs);
      if (message !== said && !signal.aborted) context.log(`not confirmed yet: ${message}`);
      said = message;
    }
    if (!record.ended) await clock.sleep(Math.min(pauseMs, Math.max(until - clock.now(), 0)), signal);
  }
}

async function overFreshConnection(
  deps: ConfirmDeps,
  deployment: Deployment,
  record: RecordView,
  session: Session,
  window: { readonly signal: AbortSignal; readonly until: number },
): Promise<void> {
  const { signal, until } = window;
  const left = Math.max(1, until - deps.clock.now());
  const call = async (
    verb: GuardCall['verb'],
    request: GuardCall['request'],
    onAnswer: (answer: GuardAnswer) => void,
  ): Promise<void> => {
    // Acknowledging and rejecting go on with following the record, until its end.
    const deadlineMs = left + 2 * deployment.timeouts.activationMs + 30_000;
    await callGuard(session, {
      verb,
      request: [['deployment', deployment.id], ...request],
      deadlineMs,
      signal,
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

  const problems = await Promise.all([
    runWorkerChecks(deployment.checks, deployment.next, { signal, until: performance.now() + left * 0.9 }),
    needsHost(deployment) ? hostChecks(deployment, left, call) : undefined,
  ]);
  if (signal.aborted || record.ended) return;
  const problem = problems.find((one) => one !== undefined);
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

function needsHost(deployment: Deployment): boolean {
  return (
    deployment.timeouts.settleMs > 0 ||
    // It may answer long before it has started all that it should.
    deployment.action === 'reboot' ||
    deployment.checks.some((check) => check.kind === 'unit' || check.kind === 'command')
  );
}

/** Units, settle time and commands, all in one exec. */
async function hostChecks(
  deployment: Deployment,
  leftMs: number,
  call: (
    verb: 'check',
    request: GuardCall['request'],
    onAnswer: (answer: GuardAnswer) => void,
  ) => Promise<void>,
): Promise<string | undefined> {
  const request: [string, string | number][] = [
    ['settle', Math.round(Math.min(deployment.timeouts.settleMs, leftMs * 0.7))],
    ['patience', Math.round(leftMs * 0.7)],
  ];
  for (const check of deployment.checks) {
    if (check.kind === 'unit') request.push(['unit', check.name]);
    if (check.kind === 'command') {
      request.push(['command', Math.max(1, Math.ceil(check.timeoutMs / 1_000))]);
      for (const word of check.command) request.push(['argument', word]);
    }
  }
  let verdict: string | undefined = 'the checks on the host did not end';
  await call('check', request, (answer) => {
    if (answer.kind === 'healthy') verdict = undefined;
    if (answer.kind === 'unhealthy') verdict = answer.text;
    if (answer.kind === 'refused') verdict = answer.failure.message;
  });
  return verdict;
}
