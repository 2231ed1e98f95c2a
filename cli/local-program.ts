/** What a program of this machine said. */
export interface ProgramAnswer {
  /** `undefined`: a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of this machine, without a shell. @throws FleetError PROGRAM_MISSING, TIMED_OUT */
export type RunLocal = (argv: readonly [string, ...string[]], deadlineMs: number) => Promise<ProgramAnswer>;
