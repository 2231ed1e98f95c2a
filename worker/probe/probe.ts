import { readFileSync } from 'node:fs';

import type { CheckResult } from '../../shared/domain/check.ts';
import type { ProbeReport, ProbeTarget, Readiness, Tidy } from '../../shared/domain/contact.ts';
import { FleetError, failureOf } from '../../shared/domain/errors.ts';
import { lastLines } from '../../shared/platform/plain-lines.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { StepContext, Steps } from '../../shared/platform/ports/steps.ts';
import { firstProblem, type Checks } from '../checks/checks.ts';
import { asRoot } from '../ssh/remote-shell.ts';
import type { Session } from '../ssh/session.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { driftOf } from './drift.ts';
import { parseReport } from './report.ts';

export interface ProbeDeps {
  readonly ssh: Ssh;
  readonly checks: Checks;
  readonly clock: Clock;
  /** For the exec itself; default 60 s. */
  readonly deadlineMs?: number;
}

// How boot loaders are read, and what a specialisation belongs to, is the guard's knowledge as well.
const script = ['../guard/script/loader.sh', '../guard/script/special.sh', './drift.sh', './probe.sh']
  .map((part) => readFileSync(new URL(part, import.meta.url), 'utf8'))
  .join('');
/** A probe asks no longer than this. */
const readyWithinMs = 60_000;
const tidyScript = readFileSync(new URL('./tidy.sh', import.meta.url), 'utf8');
const separator = '#---program---';

// The data comes first, line by line: `read` takes no byte more, so that the rest is the program. Cutting one text in
// two inside the shell would cost more than all that the program does.
const command = asRoot(
  [
    'data=""',
    `while IFS= read -r line && [ "$line" != "${separator}" ]; do data="$data$line`,
    '"; done',
    'program=$(PATH=/run/current-system/sw/bin:/usr/bin:/bin cat)',
    'eval "$program"',
  ].join('\n'),
);

/** Asks a host about itself, over the first candidate that answers. What it cannot find out is in the contact. */
export function createProbe(deps: ProbeDeps): Steps['probe'] {
  return async (target, incarnation, context) => {
    const { host, askedAt } = target;
    try {
      const session = await deps.ssh.firstReachable(target.connections, { signal: context.signal });
      try {
        if (target.tidy !== undefined) await tidy(session, target.tidy, context);
        const result = await session.exec(command, {
          stdin: `${dataOf(target)}${separator}\n${script}`,
          deadlineMs: deps.deadlineMs ?? 60_000,
          signal: context.signal,
          maxOutputBytes: 8 * 1024 * 1024,
        });
        if (result.code !== 0) throw failed(result.code, result.stderr);
        const said = parseReport(result.stdout);
        const drift = said.drift && driftOf(said.drift, await ownKeysOf(deps.ssh));
        const report = { ...said, drift };
        const { connection } = session;
        const checks = await laterHealth(deps.checks, target, report, session, context.signal);
        const readiness = await readinessOf(deps.checks, target, report, session, context.signal);
        return {
          kind: 'reached',
          host,
          incarnation,
          askedAt,
          at: deps.clock.now(),
          connection,
          report,
          checks,
          ...(readiness === undefined ? {} : { readiness }),
        };
      } finally {
        session.close();
      }
    } catch (thrown) {
      const at = deps.clock.now();
      return {
        kind: 'unreachable',
        host,
        incarnation,
        askedAt,
        at,
        since: askedAt,
        attempts: 1,
        failure: failureOf(thrown),
      };
    }
  };
}

/** Of a host between two systems, or on another one than the checks are about, they would say nothing. */
async function laterHealth(
  checks: Checks,
  target: ProbeTarget,
  { current, locked }: ProbeReport,
  session: Session,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  if (locked || current === undefined || !target.ask.includes(current)) return [];
  const subject = { host: target.host, session, toplevel: current, deployment: undefined };
  return checks.results(target.checks, subject, signal);
}

/** As before an activation: the first that says no ends it. A host that others are at is asked later. */
async function readinessOf(
  checks: Checks,
  { ready = [], ask: [toplevel], host }: ProbeTarget,
  { locked }: ProbeReport,
  session: Session,
  signal: AbortSignal,
): Promise<Readiness | undefined> {
  if (locked || ready.length === 0) return undefined;
  const subject = { host, session, toplevel, deployment: undefined };
  const options = { patient: false, until: performance.now() + readyWithinMs };
  const works = ready.map(
    (check) => (stop: AbortSignal) => checks.passes(check, subject, { ...options, signal: stop }),
  );
  return { problem: await firstProblem(signal, works) };
}

/** Before the report, which then says what it came to. What could not even be ordered is ordered again next time. */
async function tidy(session: Session, what: Tidy, context: StepContext): Promise<void> {
  const data = [
    `profile=${what.profile}`,
    `generation=${what.generation}`,
    ...(what.bootMenu ? ['bootMenu=1'] : []),
    ...(what.collectGarbage ? ['collect=1'] : []),
    ...what.generations.map((number) => `drop=${number}`),
    '',
  ].join('\n');
  const result = await session.exec(command, {
    stdin: `${data}${separator}\n${tidyScript}`,
    deadlineMs: 60_000,
    signal: context.signal,
  });
  if (result.code !== 0) context.log(`tidying could not be begun: ${lastLines(result.stderr, 500)}`);
}

/** Only values that were parsed at the edge: none can hold a line end. */
function dataOf(target: ProbeTarget): string {
  return [
    ...target.ask.map((path) => `ask=${path}`),
    ...target.acknowledged.map((id) => `acknowledged=${id}`),
    ...(target.fence === undefined ? [] : [`fence=${target.fence.epoch} ${target.fence.counter}`]),
    ...(target.adopt === undefined ? [] : [`adopt=${ownerName(target.adopt.owner)}`]),
    ...(target.adopt?.takeover === true ? ['takeover=1'] : []),
    ...retainLines(target.retain),
    ...(target.expected?.runs === undefined ? [] : [`runs=${target.expected.runs}`]),
    ...(target.expected?.boots === undefined ? [] : [`boots=${target.expected.boots}`]),
    '',
  ].join('\n');
}

function retainLines(retain: ProbeTarget['retain']): readonly string[] {
  if (retain === undefined) return [];
  return [
    `retainer=${ownerName(retain.owner)}`,
    ...retain.toplevels.map((path) => `retain=${path}`),
    ...(retain.keep === undefined ? [] : [`keep=${retain.keep}`]),
  ];
}

function ownerName(owner: string): string {
  if (/^[0-9a-zA-Z._:@-]{1,256}$/.test(owner)) return owner;
  throw new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: 'an owner is letters, digits and . _ : @ -',
  });
}

function failed(code: number | undefined, stderr: string): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: `the probe ended with status ${code ?? '?'}`,
    hint: 'can the deploy user become root on the host?',
    details: { stderr: lastLines(stderr, 500) },
  });
}

/** A key that cannot be read at the time makes a login of ours look like a stranger's, and no host unreachable. */
async function ownKeysOf(ssh: Ssh): Promise<ReadonlySet<string>> {
  return ssh.ownKeys().catch(() => new Set<string>());
}
