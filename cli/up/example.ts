import { FleetError } from '../../shared/domain/errors.ts';
import type { Terminal } from '../terminal.ts';

/** A fleet to look at, for who has none yet: hosts on this machine and a repository that describes them. */
export interface RunningExample {
  /** The config repository. */
  readonly repository: string;
  readonly ref: string;
  /** What controller and worker need to reach its hosts: `VARVE_…` variables. */
  readonly env: Readonly<Record<string, string>>;
  /** How to commit, revert and look: printed once Varve is ready, a line each. */
  readonly instructions: readonly string[];
  /** Ends the hosts and removes what was made. */
  close(): Promise<void>;
}

export interface ExampleDeps {
  /** Everything that it makes is under here. */
  readonly folder: string;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** Starts the hosts of the example fleet. @throws FleetError PROGRAM_MISSING where this machine can not have them */
export async function startExample(deps: ExampleDeps): Promise<RunningExample> {
  throw new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: `the example fleet can not be started in ${deps.folder}`,
    hint: 'say which repository is to be watched: varve up --repo URL',
  });
}
