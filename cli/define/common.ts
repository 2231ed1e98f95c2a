import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CommandContext } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { parseDuration } from '../parse-duration.ts';
import type { Terminal } from '../terminal.ts';

/** What the command line gives its commands. Commands are imported when they run: `--help` imports none. */
export interface ProgramDeps {
  readonly terminal: Terminal;
  readonly version: string;
  /** The command line asks for JSON, errors of usage included. */
  readonly json: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts when the user asks to stop. */
  readonly signal: AbortSignal;
  /** Makes what a command that talks to a controller works with, from the global options. */
  context(options: GlobalOptions): Promise<CommandContext>;
  /** Told how the command ended. */
  ended(code: number): void;
}

export interface GlobalOptions {
  readonly url: string | undefined;
  readonly tokenFile: string | undefined;
  readonly output: 'text' | 'json';
}

type Options = Readonly<Record<string, unknown>>;

/** Makes a command one that talks to a controller and prints what it says. */
export function talking(
  deps: ProgramDeps,
  command: Command,
  run: (context: CommandContext, args: readonly string[], options: Options) => Promise<ExitCode>,
): Command {
  return command.addOption(outputOption()).action(async () => {
    const context = await deps.context(globals(command));
    deps.ended(await run(context, command.args, command.opts()));
  });
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'for people or for programs').choices(['text', 'json']);
}

/** Global options may stand before or after the command. */
export function globals(command: Command): GlobalOptions {
  const merged: Record<string, unknown> = {};
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const [name, value] of Object.entries(at.opts())) merged[name] ??= value;
  }
  return {
    url: textOf(merged['url']),
    tokenFile: textOf(merged['tokenFile']),
    output: merged['output'] === 'json' ? 'json' : 'text',
  };
}

/** Does a command line ask for JSON? Asked before it is parsed: it may be wrong. */
export function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return (end === -1 ? words : words.slice(0, end)).some(
    (word, i) =>
      word === '-ojson' ||
      word === '--output=json' ||
      (word === 'json' && ['-o', '--output'].includes(words[i - 1] ?? '')),
  );
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A length of time as people write it, in milliseconds. @throws FleetError INVALID_INPUT */
export function timeOf(value: unknown): number {
  return parseDuration(String(value));
}

/** A count of rows. */
export function positive(value: string): number {
  if (!/^[1-9]\d{0,3}$/.test(value) || Number(value) > 1_000) {
    throw new InvalidArgumentError('give a number from 1 to 1000');
  }
  return Number(value);
}

export function port(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) < 1 || Number(value) > 65_535) {
    throw new InvalidArgumentError('give a port, 1 to 65535');
  }
  return Number(value);
}

/** For options that may be given more than once. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
}
