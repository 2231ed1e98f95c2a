/**
 * The closed list of error codes. Each one has a line in the README's table of error codes (a test checks that).
 */
export const errorCodes = [
  // the repository and what is in it
  'SOURCE_UNREACHABLE',
  'SOURCE_AUTH_FAILED',
  'REF_NOT_FOUND',
  'REVISION_MISMATCH',
  'REPOSITORY_HELD',
  'UNSUPPORTED_CONTENT',
  'MANIFEST_INVALID',
  'NO_HOSTS',
  'LOCK_FILE_INCOMPLETE',
  // evaluation, build, push
  'EVALUATION_FAILED',
  'EVALUATION_LIMIT',
  'RELEASE_MISMATCH',
  'BUILD_FAILED',
  'BUILD_LIMIT',
  'PUSH_FAILED',
  'DISK_FULL',
  // hosts
  'HOST_UNREACHABLE',
  'HOST_KEY_UNKNOWN',
  'HOST_KEY_MISMATCH',
  'HOST_AUTH_FAILED',
  'NOT_NIXOS',
  'NO_PREVIOUS_SYSTEM',
  'OWNED_BY',
  'UNMANAGED',
  'DRIFTED',
  'NOT_READY',
  // activation
  'TOKEN_REFUSED',
  'HOST_BUSY',
  'LOCK_HELD',
  'ACTIVATION_REFUSED',
  'ACTIVATION_FAILED',
  'UNITS_FAILED',
  'CHECK_FAILED',
  'CONFIRM_TIMEOUT',
  'UNCONFIRMED',
  'POWER_LOST',
  'BOOTLOADER_FAILED',
  'ROLL_BACK_FAILED',
  'REBOOT_FAILED',
  'ROLLOUT_HALTED',
  'ROLLED_BACK_WITH_WAVE',
  'OUTCOME_UNKNOWN',
  // Varve itself
  'CONFIG_INVALID',
  'INVALID_INPUT',
  'NOT_FOUND',
  'CONFLICT',
  'UNAUTHORIZED',
  'NOT_LEADER',
  'CONTROLLER_UNREACHABLE',
  'NOT_CONVERGED',
  'LEDGER_CONFLICT',
  'LEDGER_BROKEN',
  'STORE_UNAVAILABLE',
  'PROGRAM_MISSING',
  'TIMED_OUT',
  'CANCELLED',
  'INTERNAL',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/**
 * What happens next. `stalled`: nothing until a new commit or a person; `waiting`: again at a known time;
 * `transient`: again, with back-off.
 */
export type Disposition = 'stalled' | 'waiting' | 'transient';

/** A failure as data: what the ledger keeps, the API shows and people read. */
export interface Failure {
  readonly code: ErrorCode;
  readonly disposition: Disposition;
  readonly message: string;
  /** What the reader can do about it. */
  readonly hint?: string;
  /** Small facts that programs may use: the derivation, the exit status, the file and line. */
  readonly details?: Readonly<Record<string, string>>;
}

export interface FleetErrorInit {
  readonly code: ErrorCode;
  readonly disposition: Disposition;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly details?: Readonly<Record<string, string>> | undefined;
  readonly cause?: unknown;
}

/** The one error class. Messages say what is wrong in the user's words; the hint says what to do. */
export class FleetError extends Error {
  override readonly name = 'FleetError';
  readonly code: ErrorCode;
  readonly disposition: Disposition;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, string>> | undefined;

  constructor(init: FleetErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.disposition = init.disposition;
    this.hint = init.hint;
    this.details = init.details;
  }
}

/**
 * The failure that a thrown value stands for. Unknown throwables become `INTERNAL` without their text: it is
 * logged where it is caught, not shown.
 */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof FleetError) {
    return {
      code: thrown.code,
      disposition: thrown.disposition,
      message: thrown.message,
      ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
      ...(thrown.details === undefined ? {} : { details: thrown.details }),
    };
  }
  return {
    code: 'INTERNAL',
    disposition: 'transient',
    message: 'an internal error; the log of the process has it in full',
  };
}
