import type { RecordedEnd } from '../../shared/domain/contact.ts';
import type { Failure } from '../../shared/domain/errors.ts';
import { type StorePath, isStorePath } from '../../shared/domain/names.ts';
import type { GuardAnswer } from './guard-client.ts';
import { type JournalLine, endOf, failureOfFields, parseJournalLine } from '../guard/journal.ts';

export interface RecordViewDeps {
  now(): number;
  /** Called once each, in the order in which the host had them. */
  onSwitched(): void;
  onRollingBack(failure: Failure): void;
  onEnd(): void;
  log(line: string): void;
}

/**
 * What this worker knows of a record on a host. Fed from any number of streams, each of which begins with what the
 * record has so far: the same line twice changes nothing.
 */
export interface RecordView {
  /** Begins a stream; what it is given takes the stream's answers. */
  open(): (answer: GuardAnswer) => void;
  readonly previous: StorePath | undefined;
  /** When the switch ended, by this worker's clock; `undefined` before. */
  readonly switchedAt: number | undefined;
  /** How long the host waits for its confirmation, where it says so itself: after a reboot. */
  readonly windowMs: number | undefined;
  /** When this worker heard that the host goes down, and when it heard of the end. */
  readonly goesDownAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly ended: boolean;
  readonly refused: Failure | undefined;
  readonly exists: boolean;
  end(witnessed: boolean): RecordedEnd | undefined;
}

/** A guard writes a dozen events and prints some kilobytes of log. A host that goes on and on is not listened to. */
const mostEvents = 1_000;
const mostLogLines = 20_000;

export function createRecordView(deps: RecordViewDeps): RecordView {
  const seen = new Set<string>();
  let logged = 0;
  let bootedAt: number | undefined;
  let previous: StorePath | undefined;
  let switchedAt: number | undefined;
  let windowMs: number | undefined;
  let goesDownAt: number | undefined;
  let endedAt: number | undefined;
  let endFields: JournalLine['fields'] | undefined;
  let refused: Failure | undefined;

  const onLine = (text: string): void => {
    const line = parseJournalLine(text);
    if (line === undefined || seen.has(text) || seen.size >= mostEvents) return;
    seen.add(text);
    switch (line.event) {
      case 'switched':
        switchedAt = Math.min(deps.now(), (bootedAt ?? deps.now() - line.uptime * 10) + line.uptime * 10);
        windowMs = line.fields['left'] === undefined ? undefined : Number(line.fields['left']) * 10;
        deps.onSwitched();
        return;
      case 'rebooting':
        goesDownAt = deps.now();
        deps.log(
          line.fields['fallback'] === 'none'
            ? 'the host reboots; its boot loader has no way back by itself, should it hang'
            : 'the host reboots; should it hang, its next start is as the system before',
        );
        return;
      case 'rolling-back':
        deps.onRollingBack(failureOfFields(line.fields, false));
        return;
      case 'end':
        endFields = line.fields;
        endedAt = deps.now();
        deps.onEnd();
        return;
      default:
        return;
    }
  };

  const openStream = (): ((answer: GuardAnswer) => void) => {
    let logLine = 0;
    return (answer) => {
      switch (answer.kind) {
        case 'now':
          bootedAt = deps.now() - answer.uptime * 10;
          return;
        case 'previous':
          if (isStorePath(answer.path)) previous = answer.path;
          return;
        case 'journal':
          onLine(answer.line);
          return;
        case 'log':
          // Every stream brings the log from its beginning.
          logLine += 1;
          if (logLine > logged && logLine <= mostLogLines) deps.log(answer.line);
          logged = Math.max(logged, logLine);
          return;
        case 'refused':
          if (seen.size === 0) refused = answer.failure;
          return;
        case 'healthy':
        case 'unhealthy':
        case 'known':
        case 'draining':
          return;
      }
    };
  };

  return {
    open: openStream,
    get previous() {
      return previous;
    },
    get switchedAt() {
      return switchedAt;
    },
    get windowMs() {
      return windowMs;
    },
    get goesDownAt() {
      return goesDownAt;
    },
    get endedAt() {
      return endedAt;
    },
    get ended() {
      return endFields !== undefined;
    },
    get refused() {
      return refused;
    },
    get exists() {
      return seen.size > 0;
    },
    end: (witnessed) => (endFields === undefined ? undefined : endOf(endFields, witnessed)),
  };
}
