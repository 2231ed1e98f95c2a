import type { RecordedEnd } from '../../shared/domain/contact.ts';
import { type ErrorCode, type Failure, errorCodes } from '../../shared/domain/errors.ts';

/** One line of a record's journal on a host: `<uptime> <event> key=value... [text=the rest]`. */
export interface JournalLine {
  /** Hundredths of a second since the host booted. */
  readonly uptime: number;
  readonly event: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** `undefined` for what no guard writes. */
export function parseJournalLine(line: string): JournalLine | undefined {
  const match = /^(\d{1,15}) ([a-z-]{1,30})(?: (.*))?$/.exec(line);
  if (match === null) return undefined;
  const [, uptime = '', event = '', rest = ''] = match;
  const fields: Record<string, string> = {};
  const text = / ?\btext=(.*)$/.exec(rest);
  for (const pair of (text === null ? rest : rest.slice(0, text.index)).split(' ')) {
    const at = pair.indexOf('=');
    if (at > 0) fields[pair.slice(0, at)] = pair.slice(at + 1);
  }
  if (text !== null) fields['text'] = text[1] ?? '';
  return { uptime: Number(uptime), event, fields };
}

/**
 * What an `end` line means. `witnessed`: a live worker tried fresh connections all through the confirmation window;
 * without that a host that nobody confirmed says nothing about its toplevel.
 */
export function endOf(fields: JournalLine['fields'], witnessed: boolean): RecordedEnd {
  switch (fields['kind']) {
    case 'succeeded':
      return { kind: 'succeeded' };
    case 'awaiting-reboot':
      return { kind: 'awaiting-reboot' };
    case 'failed':
      return { kind: 'failed', failure: failureOfFields(fields, witnessed) };
    case 'rolled-back':
      return {
        kind: 'rolled-back',
        failure: failureOfFields(fields, witnessed),
        evidence: isEvidence(fields, witnessed),
      };
    default:
      return { kind: 'stuck', failure: stuck(fields, witnessed) };
  }
}

function isEvidence(fields: JournalLine['fields'], witnessed: boolean): boolean {
  return fields['evidence'] === '1' || (fields['code'] === 'CONFIRM_TIMEOUT' && witnessed);
}

function stuck(fields: JournalLine['fields'], witnessed: boolean): Failure {
  const because = failureOfFields(fields, witnessed);
  const missing = fields['missing'] ?? '';
  const what =
    fields['default'] === 'broken'
      ? 'profile or boot default could not be put back'
      : fields['down'] === '0'
        ? 'the host does not go down to boot the system before'
        : fields['again'] === '1'
          ? 'the host came back in the same system, although the one before is its default'
          : missing === ''
            ? 'the system that ran before could not be brought back'
            : `units that ran before do not run again: ${missing}`;
  return {
    code: 'ROLL_BACK_FAILED',
    disposition: 'stalled',
    message: `the roll back failed: ${what}; it was rolled back because ${because.message}`,
    hint: 'look at the host: its journal and /nix/var/varve/records have all of it',
    details: { ...because.details, because: because.code },
  };
}

/** The failure that a `rolling-back` or `end` line tells of. */
export function failureOfFields(fields: JournalLine['fields'], witnessed: boolean): Failure {
  const code = codeOf(fields, witnessed);
  const { exit, units, text } = fields;
  const details: Record<string, string> = {
    ...(exit === undefined ? {} : { exit }),
    ...(units === undefined ? {} : { units }),
  };
  const failure = (disposition: Failure['disposition'], message: string, hint?: string): Failure => ({
    code,
    disposition,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(Object.keys(details).length === 0 ? {} : { details }),
  });
  switch (code) {
    case 'LOCK_HELD':
      return failure(
        'transient',
        fields['kind'] === 'failed'
          ? 'somebody else was switching the host’s configuration; nothing was touched'
          : 'somebody else held the lock of switch-to-configuration for too long',
      );
    case 'ACTIVATION_REFUSED':
      return fields['reboot'] === '1' || exit === '100'
        ? failure(
            'stalled',
            'this toplevel needs a reboot, and the mode does not allow one',
            'use mode boot or switch',
          )
        : failure(
            'stalled',
            `switch-to-configuration refused with status ${exit ?? '?'}; nothing was changed`,
          );
    case 'ACTIVATION_FAILED':
      return failure(
        'stalled',
        fields['timeout'] === '1'
          ? 'the activation did not end within its time'
          : `switch-to-configuration ended with status ${exit ?? '?'}`,
        'the log of the deployment has its output',
      );
    case 'UNITS_FAILED':
      return failure(
        'stalled',
        `units failed: ${units ?? text ?? '?'}`,
        'the log of the deployment has their status',
      );
    case 'CHECK_FAILED':
      return failure('stalled', `a health check failed: ${text ?? '?'}`);
    case 'CONFIRM_TIMEOUT':
      if (fields['reboot'] === '1') {
        return failure(
          'stalled',
          'the host was rebooted, and no fresh connection to it could be made in time',
          'does it start as the new system at all? its console and its journal of that boot may tell',
        );
      }
      return failure(
        'stalled',
        'no fresh connection to the host could be made after the switch',
        'does the new configuration change the network, sshd, its port, its keys or the deploy user?',
      );
    case 'UNCONFIRMED':
      return failure(
        'transient',
        fields['died'] === '1'
          ? 'the guard was ended by somebody'
          : 'nobody confirmed the activation in time',
      );
    case 'REBOOT_FAILED':
      return rebootFailed(fields, failure);
    case 'POWER_LOST':
      return failure('transient', 'the host was rebooted or lost power before the activation was done');
    case 'BOOTLOADER_FAILED':
      return failure(
        'stalled',
        'profile and boot loader could not be set',
        'the log of the deployment has the output',
      );
    case 'DRIFTED':
      return failure('transient', 'the host runs another system by now');
    default:
      return failure('transient', 'the guard could not do its work', 'the host’s journal may tell why');
  }
}

function rebootFailed(
  fields: JournalLine['fields'],
  failure: (disposition: Failure['disposition'], message: string, hint?: string) => Failure,
): Failure {
  if (fields['systemd'] === '0') return failure('stalled', 'it cannot be rebooted: it has no systemd');
  if (fields['refused'] === '1') {
    return failure('transient', 'systemd refused to reboot', 'on the host: systemd-inhibit --list');
  }
  if (fields['down'] === '0') {
    return failure('transient', 'the host did not go down in time', 'on the host: systemctl list-jobs');
  }
  return fields['evidence'] === '1'
    ? failure(
        'stalled',
        'it was to be booted, and the host came back in the system before',
        'does it start at all? the console of the host may tell',
      )
    : failure('transient', 'the host was booted into yet another system by somebody');
}

function codeOf(fields: JournalLine['fields'], witnessed: boolean): ErrorCode {
  const code = errorCodes.find((known) => known === fields['code']) ?? 'INTERNAL';
  return code === 'CONFIRM_TIMEOUT' && !witnessed ? 'UNCONFIRMED' : code;
}
