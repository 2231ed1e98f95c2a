import { Command, InvalidArgumentError, Option } from 'commander';
import type { CommandContext } from './context.ts';
import { exitCodeMeanings, type ExitCode } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** What the command line gives its commands. Commands are imported when they run: `--help` imports none. */
export interface ProgramDeps {
  readonly terminal: Terminal;
  readonly version: string;
  /** Makes what a command works with, from the global options. */
  context(options: GlobalOptions): Promise<CommandContext>;
  /** Told how the command ended. */
  ended(code: ExitCode): void;
}

export interface GlobalOptions {
  readonly url: string | undefined;
  readonly tokenFile: string | undefined;
  readonly output: 'text' | 'json';
}

export function createProgram(deps: ProgramDeps): Command {
  const program = new Command('varve')
    .description('Git holds what every NixOS host of a fleet should be; Varve brings them there, and back.')
    .version(deps.version)
    .option('--url <url>', 'where the controller answers (default: $VARVE_URL, http://127.0.0.1:7420)')
    .option('--token-file <file>', 'file with the API token (default: $VARVE_TOKEN)')
    .addOption(outputOption())
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .showHelpAfterError('(varve <command> --help tells more)')
    .addHelpText('after', () => `\nExit codes:\n${exitCodeText()}\n`);

  /** A command that talks to a controller. */
  function talking(
    command: Command,
    run: (
      context: CommandContext,
      args: readonly string[],
      options: Record<string, unknown>,
    ) => Promise<ExitCode>,
  ): Command {
    return command.addOption(outputOption()).action(async (...all: unknown[]) => {
      const options = command.opts();
      const args = command.args;
      const context = await deps.context(globals(command));
      void all;
      deps.ended(await run(context, args, options));
    });
  }

  program.commandsGroup('See:');
  talking(
    program
      .command('status')
      .description('the whole fleet at a glance, the worst first')
      .option('-w, --wide', 'addresses, systems and contacts too', false)
      .option('--exit-code', 'exit 3 if a host is not there yet, 7 if something is stalled', false)
      .addHelpText(
        'after',
        examples('varve status', 'varve status -o json | jq ".hosts[] | select(.sync != \\"Synced\\")"'),
      ),
    async (context, _args, options) =>
      (await import('./commands/status.ts')).runStatus(context, {
        wide: options['wide'] === true,
        exitCode: options['exitCode'] === true,
      }),
  );
  talking(
    program
      .command('plan')
      .description('what the next pass would do; looking does nothing')
      .addHelpText('after', examples('varve plan')),
    async (context) => (await import('./commands/plan.ts')).runPlan(context),
  );
  talking(
    program
      .command('why')
      .description('why a host is what it is, and what you can do')
      .argument('<host>')
      .addHelpText('after', examples('varve why web1')),
    async (context, [host = '']) => (await import('./commands/plan.ts')).runWhy(context, host),
  );
  talking(
    program
      .command('history')
      .description('what was observed and what became of it, failures included')
      .argument('[host]', 'the generations of this host; otherwise the observations of the fleet')
      .option('-n, --limit <count>', 'how many', positive, 20)
      .addHelpText('after', examples('varve history', 'varve history web1 -n 100')),
    async (context, [host], options) =>
      (await import('./commands/history.ts')).runHistory(context, host, { limit: Number(options['limit']) }),
  );
  talking(
    program
      .command('show')
      .description('everything about a deployment, or about a revision on every host')
      .argument('<deployment|revision>')
      .addHelpText('after', examples('varve show d4k2m9x', 'varve show 2f1c0a9b3e')),
    async (context, [name = '']) => (await import('./commands/show.ts')).runShow(context, name),
  );
  talking(
    program
      .command('logs')
      .description('the log of a deployment')
      .argument('<deployment>')
      .option('-f, --follow', 'as it comes, until the deployment has ended', false)
      .addHelpText('after', examples('varve logs d4k2m9x -f')),
    async (context, [id = ''], options) =>
      (await import('./commands/logs.ts')).runLogs(context, id, { follow: options['follow'] === true }),
  );
  talking(
    program
      .command('diff')
      .description('packages and sizes between two revisions of a host')
      .argument('<host>')
      .argument('<from>', 'a revision')
      .argument('<to>', 'a revision')
      .addHelpText('after', examples('varve diff web1 1a2b3c4d 5e6f7a8b')),
    async (context, [host = '', from = '', to = '']) =>
      (await import('./commands/show.ts')).runDiff(context, host, from, to),
  );

  program.commandsGroup('Act:');
  talking(
    program
      .command('sync')
      .description('look at the repository now')
      .option('--wait', 'and wait until every host is there', false)
      .option('--timeout <time>', 'how long to wait', '10m')
      .addHelpText('after', examples('varve sync', 'varve sync --wait --timeout 5m')),
    async (context, _args, options) =>
      (await import('./commands/act.ts')).runSync(context, {
        wait: options['wait'] === true,
        timeoutMs: await timeOf(options['timeout']),
      }),
  );
  talking(
    program
      .command('wait')
      .description('until every host runs, and is confirmed on, a revision')
      .option('--revision <revision>', 'of the tracked ref (default: the newest)')
      .option('--timeout <time>', 'how long', '10m')
      .addHelpText('after', examples('varve wait --revision "$(git rev-parse HEAD)" --timeout 5m')),
    async (context, _args, options) =>
      (await import('./commands/wait.ts')).runWait(context, {
        revision: typeof options['revision'] === 'string' ? options['revision'] : undefined,
        timeoutMs: await timeOf(options['timeout']),
      }),
  );
  talking(
    program
      .command('retry')
      .description('forget remembered failures, so that they are tried again')
      .argument('[host]', 'of this host only')
      .addHelpText('after', examples('varve retry', 'varve retry web1')),
    async (context, [host]) => (await import('./commands/act.ts')).runRetry(context, host),
  );
  talking(
    program
      .command('revert')
      .description('make and push the commit that undoes a revision')
      .argument('<revision>')
      .addHelpText('after', examples('varve revert 2f1c0a9b3e')),
    async (context, [revision = '']) => (await import('./commands/act.ts')).runRevert(context, revision),
  );
  talking(
    program
      .command('adopt')
      .description('make this Varve the owner of a host; what it runs becomes generation 0')
      .argument('<host>')
      .option('--takeover', 'also from another Varve that owns it', false)
      .addHelpText('after', examples('varve adopt web1', 'varve adopt web1 --takeover')),
    async (context, [host = ''], options) =>
      (await import('./commands/act.ts')).runAdopt(context, host, { takeover: options['takeover'] === true }),
  );
  talking(
    program
      .command('hold')
      .description('leave a host as it is')
      .argument('<host>')
      .requiredOption('-r, --reason <reason>', 'shown wherever the host is')
      .option('--for <time>', 'how long (default: until it is released)')
      .addHelpText('after', examples('varve hold db1 --reason "until the migration is over" --for 2h')),
    async (context, [host = ''], options) =>
      (await import('./commands/act.ts')).runHold(context, host, {
        reason: String(options['reason']),
        for: typeof options['for'] === 'string' ? options['for'] : undefined,
      }),
  );
  talking(
    program
      .command('release')
      .description('end a hold')
      .argument('<host>')
      .addHelpText('after', examples('varve release db1')),
    async (context, [host = '']) => (await import('./commands/act.ts')).runRelease(context, host),
  );

  program.commandsGroup('Check:');
  talking(
    program
      .command('doctor')
      .description('every prerequisite and every host, and what to do about it')
      .addHelpText('after', examples('varve doctor')),
    async (context) => {
      const { createRun } = await import('../shared/platform/exec.ts');
      return (await import('./commands/doctor.ts')).runDoctor(context, { run: createRun() });
    },
  );
  const validate = program
    .command('validate')
    .description('is the varve.yaml of a config repository right? asks nobody')
    .argument('[path]', 'its folder, or the file', '.')
    .addOption(outputOption())
    .addHelpText('after', examples('varve validate', 'varve validate ../fleet'));
  validate.action(async (path: string) => {
    const { runValidate } = await import('./commands/validate.ts');
    deps.ended(await runValidate({ terminal: deps.terminal, output: globals(validate).output }, path));
  });
  const host = program.command('host').description('about single hosts');
  const scanKey = host
    .command('scan-key')
    .description('the host keys of a host, as lines for varve.yaml; asks the host from here')
    .argument('<address>', 'its name or IP address')
    .option('-p, --port <port>', 'of its sshd', port, 22)
    .option('--timeout <time>', 'how long to wait for it', '5s')
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples('varve host scan-key web1.example', 'varve host scan-key 10.0.0.7 --port 2222'),
    );
  scanKey.action(async (address: string) => {
    const { runScanKey } = await import('./commands/scan-key.ts');
    const { createRun } = await import('../shared/platform/exec.ts');
    const options = scanKey.opts<{ port: number; timeout: string }>();
    deps.ended(
      await runScanKey(
        { run: createRun(), terminal: deps.terminal, output: globals(scanKey).output },
        address,
        { port: options.port, timeoutMs: await timeOf(options.timeout) },
      ),
    );
  });
  return program;
}

function outputOption(): Option {
  return new Option('-o, --output <format>', 'for people or for programs').choices(['text', 'json']);
}

/** Global options may stand before or after the command. */
function globals(command: Command): GlobalOptions {
  const merged: Record<string, unknown> = {};
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const [name, value] of Object.entries(at.opts())) merged[name] ??= value;
  }
  return {
    url: text(merged['url']),
    tokenFile: text(merged['tokenFile']),
    output: merged['output'] === 'json' ? 'json' : 'text',
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export async function timeOf(value: unknown): Promise<number> {
  const { parseDuration } = await import('./parse-duration.ts');
  return parseDuration(String(value));
}

function positive(value: string): number {
  if (!/^[1-9]\d{0,3}$/.test(value) || Number(value) > 1_000)
    throw new InvalidArgumentError('give a number from 1 to 1000');
  return Number(value);
}

function port(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) < 1 || Number(value) > 65_535) {
    throw new InvalidArgumentError('give a port, 1 to 65535');
  }
  return Number(value);
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
}

function exitCodeText(): string {
  return Object.entries(exitCodeMeanings)
    .map(([code, meaning]) => `  ${code}  ${meaning}`)
    .join('\n');
}
