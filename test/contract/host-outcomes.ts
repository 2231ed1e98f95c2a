import type { RecordedEnd } from '../../shared/domain/contact.ts';
import type { ErrorCode } from '../../shared/domain/errors.ts';
import { judgeEnd } from '../../shared/domain/transition.ts';
import type { Activation } from './host-rig.ts';

export const succeeded: RecordedEnd = { kind: 'succeeded' };
export const done = { outcome: { kind: 'ended', end: succeeded } };

export function endOf({ outcome }: Activation): RecordedEnd {
  if (outcome.kind !== 'ended') throw new Error(`${outcome.kind}: ${outcome.failure.message}`);
  return outcome.end;
}

/** What matters of an end to those who act on it. */
export function judged(end: RecordedEnd) {
  const { phase, failure, evidence } = judgeEnd(end);
  return [phase, failure?.code, failure?.disposition, evidence];
}

export const kindsOf = ({ events }: Activation): readonly string[] => events.map((event) => event.kind);
export const refused = (code: ErrorCode, details: Record<string, string> = {}) => ({
  outcome: { kind: 'refused', failure: { code, ...(Object.keys(details).length > 0 && { details }) } },
  events: [],
});
