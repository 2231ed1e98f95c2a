import type { Command } from 'commander';
import { type ProgramDeps, collect, examples, textOf } from './common.ts';

/** Commands that run Varve itself, each program as a child process. */
export function defineRunCommands(program: Command, deps: ProgramDeps): void {
  program.commandsGroup('Run:');
  const up = program
    .command('up')
    .description('run all of Varve here, with live progress; without a repository, the example fleet')
    .option('--repo <url>', 'the config repository: https, ssh, or a path')
    .option('--ref <branch>', 'the branch that is followed (default: main)')
    .option('--data <folder>', 'where everything is kept (default: /var/lib/varve for root)')
    .option('--listen <address:port>', 'where the API listens (default: 127.0.0.1:7420)')
    .option('--identity <file>', 'an SSH identity for the hosts (may be given more than once)', collect)
    .option('--known-hosts <file>', 'known host keys, for hosts without keys in varve.yaml')
    .option('--redis <url>', 'use this Redis (default: a private one)')
    .option(
      '--config <file>',
      'the configuration of the service (default: $VARVE_CONFIG); options here stand above it',
    )
    .addHelpText(
      'after',
      examples(
        'varve up',
        'varve up --repo ssh://git@forge.example/fleet.git --identity ~/.ssh/deploy',
        'varve up --repo /srv/git/fleet.git --ref production --data /var/lib/varve',
      ),
    );
  up.action(async () => {
    const { upCommand } = await import('../up/command.ts');
    deps.ended(await upCommand(up.opts(), deps));
  });
  for (const name of ['controller', 'worker'] as const) {
    const command = program
      .command(name)
      .description(
        name === 'controller'
          ? 'watches the repository, decides, answers: one leads, others stand by'
          : 'evaluates, builds, pushes, activates, probes: as many as you like',
      )
      .option('--config <file>', 'the configuration of the service (default: $VARVE_CONFIG)')
      .addHelpText('after', examples(`varve ${name} --config /etc/varve/service.yaml`));
    command.action(async () => {
      const { programArgv } = await import('../up/programs.ts');
      const { runProgram } = await import('../up/run-program.ts');
      const config = textOf(command.opts()['config']);
      const env = config === undefined ? deps.env : { ...deps.env, VARVE_CONFIG: config };
      deps.ended(await runProgram(programArgv(name), env));
    });
  }
}
