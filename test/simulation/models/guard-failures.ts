import type { RecordedEnd } from '../../../shared/domain/contact.ts';
import type { ErrorCode, Failure } from '../../../shared/domain/errors.ts';

function failure(
  code: ErrorCode,
  disposition: Failure['disposition'],
  message: string,
  details?: Record<string, string>,
): Failure {
  const plain = { code, disposition, message };
  return details === undefined ? plain : { ...plain, details };
}

/** What the guard says when it does not start something. */
export const refusals = {
  unmanaged: failure('UNMANAGED', 'stalled', 'the host has no owner'),
  ownedBy: (owner: string) => failure('OWNED_BY', 'stalled', 'the host belongs to another Varve', { owner }),
  token: (highest: string) => failure('TOKEN_REFUSED', 'transient', 'a higher token was seen', { highest }),
  busy: (deployment: string) =>
    failure('HOST_BUSY', 'transient', `${deployment} is under way`, { deployment }),
  notReady: failure('NOT_READY', 'transient', 'it is quarantined'),
  notThere: failure('PUSH_FAILED', 'transient', 'the toplevel is not on the host'),
};

/** Why an activation ended otherwise than it was meant to. */
export const troubles = {
  drifted: failure('DRIFTED', 'transient', 'it does not run what was to be made lasting'),
  refused: failure('ACTIVATION_REFUSED', 'stalled', 'switch-to-configuration said no'),
  lockHeld: failure('LOCK_HELD', 'transient', 'somebody else was switching'),
  broke: failure('ACTIVATION_FAILED', 'stalled', 'the switch exited with 2'),
  hung: failure('ACTIVATION_FAILED', 'stalled', 'the switch did not end in time'),
  unit: failure('UNITS_FAILED', 'stalled', 'a unit failed'),
  unconfirmed: failure('UNCONFIRMED', 'transient', 'nobody confirmed it in time'),
  unreachable: failure('CONFIRM_TIMEOUT', 'stalled', 'nobody got through to it after the switch'),
  bootLoader: failure('BOOTLOADER_FAILED', 'stalled', 'the boot loader could not be written'),
  rebootFailed: failure('REBOOT_FAILED', 'stalled', 'the host came back in the system before'),
  notDown: failure('REBOOT_FAILED', 'transient', 'the host did not go down in time'),
  powerLost: failure('POWER_LOST', 'transient', 'the host was booted inside the window'),
  noWayBack: failure('ROLL_BACK_FAILED', 'stalled', 'the way back failed'),
};

/**
 * An end as the reader of a record understands it. That nobody confirmed says something about the toplevel only to
 * whoever tried fresh connections all through the window.
 */
export function endAsTold(end: RecordedEnd, witnessed: boolean): RecordedEnd {
  if (!witnessed || end.kind !== 'rolled-back' || end.failure !== troubles.unconfirmed) return end;
  return { kind: 'rolled-back', failure: troubles.unreachable, evidence: true };
}
