import { type ErrorCode, FleetError } from '../shared/domain/errors.ts';

/** What the exit code of every command means. Stable: scripts rely on them. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notConverged: 3,
  unreachable: 4,
  notFound: 5,
  refused: 6,
  stalled: 7,
  unavailable: 8,
  prerequisite: 9,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** For the help text. */
export const exitCodeMeanings: Readonly<Record<ExitCode, string>> = {
  0: 'it is so, or it was done',
  1: 'it failed',
  2: 'the command line is wrong',
  3: 'not converged: the time was over, or something newer came',
  4: 'the controller cannot be reached',
  5: 'no such host, revision or deployment',
  6: 'refused: no right, or the state of things stands against it',
  7: 'stalled: nothing more happens until a commit or a person',
  8: 'the controller answers but cannot do it now; try again',
  9: 'a program or a file that is needed is missing',
};

/** Signals that end a command, with the exit code that a shell expects then: 128 and the signal's number. */
export const signalCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** The only place where error codes become exit codes; what is not here is 1. */
const special: Readonly<Partial<Record<ErrorCode, ExitCode>>> = {
  INVALID_INPUT: exitCodes.usage,
  CONFIG_INVALID: exitCodes.usage,
  TIMED_OUT: exitCodes.notConverged,
  NOT_CONVERGED: exitCodes.notConverged,
  CONTROLLER_UNREACHABLE: exitCodes.unreachable,
  NOT_FOUND: exitCodes.notFound,
  UNAUTHORIZED: exitCodes.refused,
  CONFLICT: exitCodes.refused,
  OWNED_BY: exitCodes.refused,
  UNMANAGED: exitCodes.refused,
  REPOSITORY_HELD: exitCodes.refused,
  NOT_LEADER: exitCodes.unavailable,
  STORE_UNAVAILABLE: exitCodes.unavailable,
  LEDGER_CONFLICT: exitCodes.unavailable,
  PROGRAM_MISSING: exitCodes.prerequisite,
};

export function exitCodeOf(thrown: unknown): ExitCode {
  if (!(thrown instanceof FleetError)) return exitCodes.failed;
  return special[thrown.code] ?? exitCodes.failed;
}
