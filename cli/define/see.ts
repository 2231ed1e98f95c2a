import type { Command } from 'commander';
import { type ProgramDeps, examples, positive, talking } from './common.ts';

/** Commands that look and change nothing. */
export function defineSeeCommands(program: Command, deps: ProgramDeps): void {
  program.commandsGroup('See:');
  talking(
    deps,
    program
      .command('status')
      .description('the whole fleet at a glance, the worst first; or everything about one host')
      .argument('[host]')
      .option('-w, --wide', 'addresses, systems and contacts too', false)
      .option('--exit-code', 'exit 3 if a host is not there yet, 7 if something is stalled', false)
      .addHelpText(
        'after',
        examples(
          'varve status',
          'varve status web1',
          'varve status -o json | jq ".hosts[] | select(.sync != \\"Synced\\")"',
        ),
      ),
    async (context, [host], options) => {
      const exitCode = options['exitCode'] === true;
      if (host !== undefined) {
        return (await import('../commands/status-host.ts')).runHostStatus(context, host, { exitCode });
      }
      const wide = options['wide'] === true;
      return (await import('../commands/status.ts')).runStatus(context, { wide, exitCode });
    },
  );
  talking(
    deps,
    program
      .command('plan')
      .description('what the next pass would do; looking does nothing')
      .addHelpText('after', examples('varve plan')),
    async (context) => (await import('../commands/plan.ts')).runPlan(context),
  );
  talking(
    deps,
    program
      .command('why')
      .description('why a host is what it is, and what you can do')
      .argument('<host>')
      .addHelpText('after', examples('varve why web1')),
    async (context, [host = '']) => (await import('../commands/why.ts')).runWhy(context, host),
  );
  talking(
    deps,
    program
      .command('history')
      .description('what was observed and what became of it, failures included')
      .argument('[host]', 'the generations of this host; otherwise the observations of the fleet')
      .option('-n, --limit <count>', 'how many', positive, 20)
      .addHelpText('after', examples('varve history', 'varve history web1 -n 100')),
    async (context, [host], options) =>
      (await import('../commands/history.ts')).runHistory(context, host, { limit: Number(options['limit']) }),
  );
  talking(
    deps,
    program
      .command('show')
      .description('everything about a deployment, or about a revision on every host')
      .argument('<deployment|revision>')
      .addHelpText('after', examples('varve show d4k2m9x', 'varve show 2f1c0a9b3e')),
    async (context, [name = '']) => (await import('../commands/show.ts')).runShow(context, name),
  );
  talking(
    deps,
    program
      .command('logs')
      .description('the log of a deployment')
      .argument('<deployment>')
      .option('-f, --follow', 'as it comes, until the deployment has ended', false)
      .addHelpText('after', examples('varve logs d4k2m9x -f')),
    async (context, [id = ''], options) =>
      (await import('../commands/logs.ts')).runLogs(context, id, { follow: options['follow'] === true }),
  );
  talking(
    deps,
    program
      .command('diff')
      .description('packages and sizes between two revisions of a host')
      .argument('<host>')
      .argument('<from>', 'a revision')
      .argument('<to>', 'a revision')
      .addHelpText('after', examples('varve diff web1 1a2b3c4d 5e6f7a8b')),
    async (context, [host = '', from = '', to = '']) =>
      (await import('../commands/show.ts')).runDiff(context, host, from, to),
  );
}
