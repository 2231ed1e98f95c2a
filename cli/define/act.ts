import type { Command } from 'commander';
import { type ProgramDeps, examples, talking, timeOf } from './common.ts';

/** Commands that ask for something to be done. */
export function defineActCommands(program: Command, deps: ProgramDeps): void {
  program.commandsGroup('Act:');
  talking(
    deps,
    program
      .command('sync')
      .description('look at the repository now')
      .option('--wait', 'and wait until every host is there', false)
      .option('--timeout <time>', 'how long to wait', '10m')
      .addHelpText('after', examples('varve sync', 'varve sync --wait --timeout 5m')),
    async (context, _args, options) =>
      (await import('../commands/act.ts')).runSync(context, {
        wait: options['wait'] === true,
        timeoutMs: timeOf(options['timeout']),
      }),
  );
  talking(
    deps,
    program
      .command('wait')
      .description('until every host that is not held, orphaned or testing is confirmed on a revision')
      .option('--revision <revision>', 'of the tracked ref (default: the newest)')
      .option('--timeout <time>', 'how long', '10m')
      .addHelpText('after', examples('varve wait --revision "$(git rev-parse HEAD)" --timeout 5m')),
    async (context, _args, options) =>
      (await import('../commands/wait.ts')).runWait(context, {
        revision: typeof options['revision'] === 'string' ? options['revision'] : undefined,
        timeoutMs: timeOf(options['timeout']),
      }),
  );
  talking(
    deps,
    program
      .command('retry')
      .description('forget remembered failures, so that they are tried again')
      .argument('[host]', 'of this host only; its drift is brought back as well')
      .addHelpText('after', examples('varve retry', 'varve retry web1')),
    async (context, [host]) => (await import('../commands/act.ts')).runRetry(context, host),
  );
  talking(
    deps,
    program
      .command('revert')
      .description('make and push the commit that undoes a revision')
      .argument('<revision>')
      .addHelpText('after', examples('varve revert 2f1c0a9b3e')),
    async (context, [revision = '']) => (await import('../commands/act.ts')).runRevert(context, revision),
  );
  talking(
    deps,
    program
      .command('adopt')
      .description('make this Varve the owner of a host; what it runs becomes generation 0')
      .argument('<host>')
      .option('--takeover', 'also from another Varve that owns it', false)
      .addHelpText('after', examples('varve adopt web1', 'varve adopt web1 --takeover')),
    async (context, [host = ''], options) =>
      (await import('../commands/act.ts')).runAdopt(context, host, {
        takeover: options['takeover'] === true,
      }),
  );
}
