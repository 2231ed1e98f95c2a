#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { type Command, CommanderError } from 'commander';
import { FleetError } from '../shared/domain/errors.ts';
import type { CommandContext } from './context.ts';
import { exitCodeOf, exitCodes, signalCodes } from './exit-codes.ts';
import { type GlobalOptions, wantsJson } from './define/common.ts';
import { createProgram } from './program.ts';
import { createTerminal, harmless } from './terminal.ts';

const terminal = createTerminal({ stdout: process.stdout, stderr: process.stderr, env: process.env });
const stop = new AbortController();
const json = wantsJson(process.argv.slice(2));

async function context(options: GlobalOptions): Promise<CommandContext> {
  const { createApiClient } = await import('./api-client.ts');
  const { userInfo } = await import('node:os');
  return {
    api: createApiClient({
      url: controllerUrl(options.url ?? process.env['VARVE_URL'] ?? 'http://127.0.0.1:7420'),
      token: options.tokenFile === undefined ? process.env['VARVE_TOKEN'] : readTokenFile(options.tokenFile),
      actor: process.env['VARVE_ACTOR'] ?? userInfo().username,
    }),
    terminal,
    output: options.output,
    env: process.env,
    now: () => Date.now(),
    signal: stop.signal,
  };
}

function controllerUrl(text: string): string {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return text;
  throw new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: `${JSON.stringify(text)} is not the URL of a controller`,
    hint: 'write it like http://127.0.0.1:7420',
  });
}

function readTokenFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new FleetError({
      code: 'INVALID_INPUT',
      disposition: 'stalled',
      message: `the token file ${path} cannot be read`,
      cause,
    });
  }
}

function version(): string {
  // From the sources it is one folder up, from dist two.
  for (const place of ['../package.json', '../../package.json']) {
    try {
      const found: unknown = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'));
      if (typeof found === 'object' && found !== null && 'version' in found) return String(found.version);
    } catch {
      // The other place has it.
    }
  }
  return 'unknown';
}

function report(thrown: unknown): void {
  if (thrown instanceof FleetError) {
    if (json) {
      const { code, disposition, message, hint, details } = thrown;
      terminal.aside(JSON.stringify({ error: { code, disposition, message, hint, details } }));
      return;
    }
    const { paint, signs } = terminal;
    terminal.aside(`${paint('red', 'error')} ${paint('dim', thrown.code)} ${harmless(thrown.message)}`);
    if (thrown.hint !== undefined) terminal.aside(`${paint('cyan', signs.arrow)} ${harmless(thrown.hint)}`);
    return;
  }
  terminal.aside(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
}

async function main(): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of a pipe went away: nobody is left to tell.
    if (error.code === 'EPIPE') process.exit(exitCodes.ok);
    throw error;
  });
  const program = createProgram({
    terminal,
    version: version(),
    json,
    env: process.env,
    signal: stop.signal,
    context,
    ended(code) {
      process.exitCode = code;
    },
  });
  program.exitOverride();
  for (const command of program.commands) inheritExit(command);
  try {
    await program.parseAsync();
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      // Commander has said to people what is wrong; help and version are no errors.
      process.exitCode = thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
      if (json && thrown.exitCode !== 0) report(usageError(thrown));
      return;
    }
    if (stop.signal.aborted) return;
    report(thrown);
    process.exitCode = exitCodeOf(thrown);
  }
}

function usageError({ code, message }: CommanderError): FleetError {
  return new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: code === 'commander.help' ? 'no command is given' : message.replace(/^error: /, ''),
    hint: '`varve --help` lists the commands, `varve <command> --help` tells more',
  });
}

function inheritExit(command: Command): void {
  command.exitOverride();
  for (const inner of command.commands) inheritExit(inner);
}

/** A second request ends us at once: whoever asks twice means it. */
for (const [signal, code] of Object.entries(signalCodes)) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(code);
    process.exitCode = code;
    stop.abort();
  });
}
await main();
