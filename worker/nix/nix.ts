import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';

import { FleetError } from '../../shared/domain/errors.ts';
import { baseEnvironment, type Run, type RunResult } from '../../shared/platform/exec.ts';
import { createNixLogReader, type NixEvent, type NixMessage } from './log.ts';

export interface NixSettings {
  /** Settings of Nix on top of Varve's own, such as `sandbox` or `max-jobs`; the service configuration has them. */
  readonly config: Readonly<Record<string, string>>;
  /** A private home: Nix keeps its caches there, and nothing of the user's own configuration is read. */
  readonly home: string;
  /** Added to what Nix and the programs it starts may see. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface NixOptions {
  readonly signal: AbortSignal | undefined;
  readonly deadlineMs: number;
  readonly input?: Uint8Array | string;
  readonly onEvent?: (event: NixEvent) => void;
  readonly environment?: Readonly<Record<string, string>>;
  /** Nix gives up with "out of memory" instead of taking more address space than this; on Linux. */
  readonly addressSpaceBytes?: number;
}

export interface NixResult extends RunResult {
  /** The errors that Nix reported, in order. */
  readonly errors: readonly NixMessage[];
}

/** Arguments after the program's name. Data goes in only where Nix cannot take it for an option. */
export type NixCommand = readonly ['nix' | 'nix-store', ...string[]];

/**
 * The Nix programs, cut off from the user's configuration. What /etc/nix/nix.conf of the machine says stays in force
 * where Varve's own settings and the service configuration do not speak.
 */
export interface Nix {
  /** Resolves for every exit status. @throws FleetError PROGRAM_MISSING, TIMED_OUT, CANCELLED */
  run(command: NixCommand, options: NixOptions): Promise<NixResult>;
  /** Starts a program that stays, for whoever talks to it. That it cannot be started is its `error` event. */
  start(command: readonly ['nix-daemon', ...string[]]): ChildProcessWithoutNullStreams;
}

/** The repository of a fleet must not be able to change how Nix behaves, nor to make it ask somebody. */
const ownConfig: Readonly<Record<string, string>> = {
  // More than these may be on: those of the machine and of the service configuration stay.
  'extra-experimental-features': 'nix-command flakes',
  'accept-flake-config': 'false',
  'pure-eval': 'true',
  'eval-cache': 'false',
  'warn-dirty': 'false',
};

/** @throws FleetError CONFIG_INVALID when a setting cannot be written into NIX_CONFIG */
export function createNix(deps: {
  readonly run: Run;
  readonly settings: NixSettings;
  readonly platform?: NodeJS.Platform;
}): Nix {
  const { settings } = deps;
  const base = {
    ...baseEnvironment(),
    ...settings.environment,
    HOME: settings.home,
    XDG_CACHE_HOME: `${settings.home}/.cache`,
    XDG_CONFIG_HOME: `${settings.home}/.config`,
    LC_ALL: 'C',
    NIX_CONFIG: nixConfig({ ...settings.config, ...ownConfig }),
    NIX_USER_CONF_FILES: '',
    NIX_PATH: '',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
  };
  return {
    // In a group of its own, like whatever runs to its end: a terminal's interrupt is for Varve to act on.
    start: ([program, ...args]) => spawn(program, args, { env: base, stdio: 'pipe', detached: true }),
    async run([program, ...args], options) {
      const errors: NixMessage[] = [];
      const read = createNixLogReader((event) => {
        if (isError(event)) errors.push(event);
        options.onEvent?.(event);
      });
      const limited =
        // Other systems have no `prlimit`, and macOS keeps no limit of the address space.
        options.addressSpaceBytes === undefined || (deps.platform ?? process.platform) !== 'linux'
          ? []
          : ['prlimit', `--as=${Math.floor(options.addressSpaceBytes)}`];
      const argv = [...limited, program, '--log-format', 'internal-json', ...args];
      const [first = program, ...rest] = argv;
      const result = await deps.run([first, ...rest], {
        env: { ...base, ...options.environment },
        deadlineMs: options.deadlineMs,
        onLine: (line, stream) => {
          if (stream === 'stderr') read(line);
        },
        ...(options.input === undefined ? {} : { input: options.input }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      return { ...result, errors };
    },
  };
}

/** Traces and warnings of an expression have level 0 too in some versions: the word tells an error from them. */
function isError(event: NixEvent): event is NixMessage {
  if (event.kind !== 'message') return false;
  return event.summary !== undefined || /^(?:[\w.-]+: )?error:/.test(event.text);
}

function nixConfig(config: Readonly<Record<string, string>>): string {
  return Object.entries(config)
    .map(([name, value]) => {
      if (!/^[a-z][a-z0-9-]*$/.test(name) || /[\n\r\0#]/.test(value)) {
        throw new FleetError({
          code: 'CONFIG_INVALID',
          disposition: 'stalled',
          message: `${JSON.stringify(name)} cannot be given to Nix as a setting`,
          hint: 'use the names of nix.conf, and values of one line without a number sign',
        });
      }
      // An empty value needs the blank before the equals sign's end of line.
      return `${name} = ${value}`;
    })
    .join('\n');
}
