import type { Command } from 'commander';
import { type ProgramDeps, examples, globals, outputOption } from './common.ts';

/** Commands that make what the service needs before it is started. */
export function definePrepareCommands(program: Command, deps: ProgramDeps): void {
  program.commandsGroup('Prepare:');
  const keygen = program
    .command('keygen')
    .description('a key that workers sign closures with; prints what hosts need to trust it')
    .argument('<name>', 'of the key; by custom a host name and a number')
    .option('--out <file>', 'where the secret is written; never over something', 'signing-key')
    .addOption(outputOption())
    .addHelpText('after', examples('varve keygen fleet.example.org-1 --out /etc/varve/signing-key'));
  keygen.action(async (name: string) => {
    const { runKeygen } = await import('../commands/keygen.ts');
    const { out } = keygen.opts<{ out: string }>();
    deps.ended(await runKeygen({ terminal: deps.terminal, output: globals(keygen).output }, name, { out }));
  });
}
