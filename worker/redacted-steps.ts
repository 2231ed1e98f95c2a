import type { HostContact, RecordedEnd } from '../shared/domain/contact.ts';
import type { Failure } from '../shared/domain/errors.ts';
import type { ActivateOutcome, Steps } from '../shared/platform/ports/steps.ts';
import type { Redactor } from '../shared/platform/redact.ts';

/** Failures stay in the ledger for ever: what Nix, Git and hosts say is cut here, in characters. */
const longestText = 32_000;

/**
 * Steps whose failures hold no secret: they quote what Nix, Git and hosts say (a substituter's address with its
 * password, say), and go to Redis, the ledger and whoever looks.
 */
export function redactedSteps(steps: Steps, redact: Redactor): Steps {
  const text = (raw: string): string => redact(raw).slice(0, longestText);
  const clean = (failure: Failure): Failure => ({
    ...failure,
    message: text(failure.message),
    ...(failure.hint === undefined ? {} : { hint: text(failure.hint) }),
    ...(failure.details === undefined
      ? {}
      : {
          details: Object.fromEntries(
            Object.entries(failure.details).map(([key, value]) => [key, text(value)]),
          ),
        }),
  });
  const cleanEnd = (end: RecordedEnd): RecordedEnd => {
    if ('failure' in end) return { ...end, failure: clean(end.failure) };
    return end.kind === 'succeeded' && end.flaw !== undefined ? { ...end, flaw: clean(end.flaw) } : end;
  };
  const cleanOutcome = (outcome: ActivateOutcome): ActivateOutcome =>
    outcome.kind === 'ended'
      ? { ...outcome, end: cleanEnd(outcome.end) }
      : { ...outcome, failure: clean(outcome.failure) };
  const cleanContact = (contact: HostContact): HostContact => {
    if (contact.kind === 'unreachable') return { ...contact, failure: clean(contact.failure) };
    const { report, readiness } = contact;
    const records = report.records.map((record) => ({
      ...record,
      end: record.end === undefined ? undefined : cleanEnd(record.end),
    }));
    const checks = contact.checks.map((check) => ({
      ...check,
      name: text(check.name),
      ...(check.message === undefined ? {} : { message: text(check.message) }),
    }));
    const said = readiness?.problem === undefined ? {} : { readiness: { problem: text(readiness.problem) } };
    return { ...contact, report: { ...report, records }, checks, ...said };
  };
  return {
    async evaluate(request, context) {
      const outcome = await steps.evaluate(request, context);
      return outcome.kind === 'failed' ? { ...outcome, failure: clean(outcome.failure) } : outcome;
    },
    async deliver(deployment, context) {
      const outcome = await steps.deliver(deployment, context);
      return outcome.kind === 'failed' ? { kind: 'failed', failure: clean(outcome.failure) } : outcome;
    },
    activate: async (deployment, context, onEvent) =>
      cleanOutcome(
        await steps.activate(deployment, context, (event) =>
          onEvent(event.kind === 'roll-back-started' ? { ...event, failure: clean(event.failure) } : event),
        ),
      ),
    probe: async (target, incarnation, context) =>
      cleanContact(await steps.probe(target, incarnation, context)),
  };
}
