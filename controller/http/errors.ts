import { type ErrorCode, type Failure, FleetError, failureOf } from '../../shared/domain/errors.ts';

/** The only place where error codes become HTTP statuses. */
export const statusOf: Readonly<Record<ErrorCode, number>> = {
  // What was asked for cannot be read, found or allowed.
  INVALID_INPUT: 400,
  UNAUTHORIZED: 401,
  NOT_FOUND: 404,
  CONFLICT: 409,
  // The state of the repository or of a host stands against it; a commit or a person must act.
  REPOSITORY_HELD: 409,
  OWNED_BY: 409,
  UNMANAGED: 409,
  DRIFTED: 409,
  NOT_READY: 409,
  ROLLOUT_HALTED: 409,
  ROLLED_BACK_WITH_WAVE: 409,
  HOST_BUSY: 409,
  LOCK_HELD: 409,
  TOKEN_REFUSED: 409,
  RELEASE_MISMATCH: 409,
  REVISION_MISMATCH: 409,
  REF_NOT_FOUND: 409,
  UNSUPPORTED_CONTENT: 422,
  MANIFEST_INVALID: 422,
  NO_HOSTS: 422,
  LOCK_FILE_INCOMPLETE: 422,
  EVALUATION_FAILED: 422,
  EVALUATION_LIMIT: 422,
  BUILD_FAILED: 422,
  BUILD_LIMIT: 422,
  NOT_NIXOS: 422,
  NO_PREVIOUS_SYSTEM: 422,
  ACTIVATION_REFUSED: 422,
  ACTIVATION_FAILED: 422,
  UNITS_FAILED: 422,
  CHECK_FAILED: 422,
  CONFIRM_TIMEOUT: 422,
  UNCONFIRMED: 422,
  POWER_LOST: 422,
  BOOTLOADER_FAILED: 422,
  ROLL_BACK_FAILED: 422,
  REBOOT_FAILED: 422,
  OUTCOME_UNKNOWN: 422,
  // Something behind the controller does not answer as it should.
  SOURCE_UNREACHABLE: 502,
  SOURCE_AUTH_FAILED: 502,
  HOST_UNREACHABLE: 502,
  HOST_KEY_UNKNOWN: 502,
  HOST_KEY_MISMATCH: 502,
  HOST_AUTH_FAILED: 502,
  PUSH_FAILED: 502,
  TIMED_OUT: 504,
  // Said by the command line only.
  CONTROLLER_UNREACHABLE: 502,
  NOT_CONVERGED: 409,
  // Not here, or not now.
  NOT_LEADER: 503,
  STORE_UNAVAILABLE: 503,
  LEDGER_CONFLICT: 503,
  CANCELLED: 503,
  // Varve itself is at fault, or is set up wrongly.
  DISK_FULL: 507,
  LEDGER_BROKEN: 500,
  CONFIG_INVALID: 500,
  PROGRAM_MISSING: 500,
  INTERNAL: 500,
};

export interface HttpError {
  readonly status: number;
  readonly failure: Failure;
  /** The text was withheld from the reader: whoever handles it must log it. */
  readonly internal: boolean;
}

/** A refusal that HTTP has a status for and the fleet no code. */
export class HttpRefusal extends FleetError {
  readonly status: 403 | 429;

  constructor(status: 403 | 429, message: string, hint?: string) {
    super({
      code: 'UNAUTHORIZED',
      disposition: status === 429 ? 'transient' : 'stalled',
      message,
      hint,
    });
    this.status = status;
  }
}

/** How a thrown value is answered. What is not ours is INTERNAL, without its text. */
export function httpErrorOf(thrown: unknown): HttpError {
  if (thrown instanceof HttpRefusal)
    return { status: thrown.status, failure: failureOf(thrown), internal: false };
  const broken = fastifyRefusal(thrown);
  if (broken !== undefined) return { ...broken, internal: false };
  const failure = failureOf(thrown);
  return { status: statusOf[failure.code], failure, internal: failure.code === 'INTERNAL' };
}

/** What the framework refuses before a handler runs: a body that is too big, of the wrong type, of the wrong shape. */
function fastifyRefusal(thrown: unknown): { status: number; failure: Failure } | undefined {
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return undefined;
  const status = thrown.statusCode;
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined;
  return {
    status,
    failure: {
      code: 'INVALID_INPUT',
      disposition: 'stalled',
      message: status === 413 ? 'the body is too large' : thrown.message.slice(0, 500),
    },
  };
}
