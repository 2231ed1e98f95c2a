import type { Deployment } from '../../shared/domain/deployment.ts';
import type { Failure } from '../../shared/domain/errors.ts';
import { type Checks, type Problem, firstProblem } from '../checks/checks.ts';
import type { Session } from '../ssh/session.ts';
import { callGuard } from './guard-client.ts';
import { hasBegunToDrain } from './reboot-hooks.ts';
import type { RecordView } from './record-view.ts';

/** Whether a host is to be left alone for now: the checks that come before an activation. */
export type Readiness =
  /** It has begun already: its record was followed, as far as the connection lasted. */
  { readonly kind: 'known' } | { readonly kind: 'new'; readonly problem: Problem };

/**
 * Asks the checks that come before an activation, unless the host knows the deployment: what has begun is not
 * judged by how the host was before, nor by how it is once it is being drained.
 * @throws FleetError when the connection is lost
 */
export async function askBefore(
  checks: Checks,
  deployment: Deployment,
  record: RecordView,
  session: Session,
  options: { readonly deadlineMs: number; readonly signal: AbortSignal },
): Promise<Readiness> {
  const before = deployment.checks.filter((check) => check.before);
  if (before.length === 0 || record.exists) return { kind: 'new', problem: undefined };
  const ask = async (): Promise<Readiness> => {
    const { host, toplevel, id, timeouts } = deployment;
    const subject = { host, session, toplevel, deployment: id };
    const until = performance.now() + timeouts.confirmMs;
    const problem = await firstProblem(
      options.signal,
      before.map((check) => (signal) => checks.passes(check, subject, { patient: false, until, signal })),
    );
    return { kind: 'new', problem };
  };
  if (deployment.reboot?.drain !== undefined) {
    const begun = await hasBegunToDrain(session, deployment, options.signal);
    return begun ? { kind: 'new', problem: undefined } : ask();
  }
  let known = true;
  const feed = record.open();
  await callGuard(session, {
    verb: 'follow',
    request: [['deployment', deployment.id]],
    ...options,
    onAnswer: (answer) => {
      if (answer.kind === 'refused' && answer.failure.code === 'NOT_FOUND') known = false;
      else feed(answer);
    },
  });
  if (known) return { kind: 'known' };
  return ask();
}

/** The host was left alone; nothing is held against the toplevel. */
export function notReady(problem: string): Failure {
  return {
    code: 'NOT_READY',
    disposition: 'transient',
    message: problem,
    hint: 'nothing was changed; it is asked again by itself',
  };
}
