import { Command } from 'commander';
import { defineActCommands } from './define/act.ts';
import { defineCheckCommands } from './define/check.ts';
import { type ProgramDeps, examples, outputOption } from './define/common.ts';
import { definePeopleCommands } from './define/people.ts';
import { definePrepareCommands } from './define/prepare.ts';
import { defineRunCommands } from './define/run.ts';
import { defineSeeCommands } from './define/see.ts';
import { exitCodeMeanings } from './exit-codes.ts';

/** The whole command line. Errors of usage are thrown as CommanderError, after they were shown. */
export function createProgram(deps: ProgramDeps): Command {
  const program = new Command('varve')
    .description('Git holds what every NixOS host of a fleet should be; Varve brings them there, and back.')
    .version(deps.version)
    .option('--url <url>', 'where the controller answers (default: $VARVE_URL, http://127.0.0.1:7420)')
    .option('--token-file <file>', 'file with the API token (default: $VARVE_TOKEN)')
    .addOption(outputOption())
    .configureHelp({
      subcommandTerm: (command) =>
        [
          command.name(),
          ...command.registeredArguments.map((each) =>
            each.required ? `<${each.name()}>` : `[${each.name()}]`,
          ),
        ].join(' '),
    })
    .configureOutput({
      writeOut: (text) => deps.terminal.raw(text),
      // For programs the error is one JSON value, which is written where all errors are.
      writeErr: (text) => (deps.json ? undefined : deps.terminal.aside(text.trimEnd())),
    })
    .showHelpAfterError('(varve <command> --help tells more)')
    .addHelpText('after', examples('varve up', 'varve doctor', 'varve status', 'varve help up'))
    .addHelpText('after', () => `Exit codes:\n${exitCodeText()}`);
  defineRunCommands(program, deps);
  defineSeeCommands(program, deps);
  defineActCommands(program, deps);
  definePeopleCommands(program, deps);
  defineCheckCommands(program, deps);
  definePrepareCommands(program, deps);
  defineCompletion(program, deps);
  program.helpCommand('help [command]', 'help for a command');
  return program;
}

function defineCompletion(program: Command, deps: ProgramDeps): void {
  program
    .command('completion')
    .description('a script that completes commands, options and host names in your shell')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      '\nExamples:\n  source <(varve completion bash)\n  varve completion fish > ~/.config/fish/completions/varve.fish\n',
    )
    .action(async (shell: string) => {
      const { completionScript } = await import('./completion.ts');
      deps.terminal.raw(completionScript(shell));
      deps.ended(0);
    });
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: readonly string[]) => {
      const { complete } = await import('./completion.ts');
      for (const line of await complete(program, words, deps)) deps.terminal.line(line);
      deps.ended(0);
    });
}

function exitCodeText(): string {
  return Object.entries(exitCodeMeanings)
    .map(([code, meaning]) => `  ${code}  ${meaning}`)
    .concat('  128 and more: a signal ended it (130: Ctrl-C)')
    .join('\n');
}
