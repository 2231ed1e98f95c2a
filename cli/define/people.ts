import { type Command, InvalidArgumentError } from 'commander';
import { type ProgramDeps, examples, talking, textOf } from './common.ts';

const reason = ['-r, --reason <reason>', 'shown wherever the host is'] as const;
const scope = 'host|group|fleet';

/** Commands by which people overrule what would happen by itself. */
export function definePeopleCommands(program: Command, deps: ProgramDeps): void {
  program.commandsGroup('Overrule:');
  defineHolds(program, deps);
  defineSuspension(program, deps);
  talking(
    deps,
    ending(
      program
        .command('override')
        .description('let closed windows and freezes not count, in an emergency')
        .argument(`<${scope}>`)
        .requiredOption(...reason),
    ).addHelpText(
      'after',
      examples(
        'varve override web1 --reason "CVE-2026-1234" --for 1h',
        'varve override fleet --reason "CVE-2026-1234" --until 2026-11-27T18:00',
      ),
    ),
    async (context, [word = ''], options) =>
      (await import('../commands/people.ts')).runOverride(context, word, said(options)),
  );
  talking(
    deps,
    program
      .command('approve')
      .description('let the newest release into a wave or a group that takes an approval')
      .argument('[wave-or-group]', 'default: the only one that waits')
      .addHelpText('after', examples('varve approve', 'varve approve production')),
    async (context, [name]) => (await import('../commands/approve.ts')).runApprove(context, name),
  );
  defineRollback(program, deps);
}

function defineHolds(program: Command, deps: ProgramDeps): void {
  talking(
    deps,
    ending(
      program
        .command('hold')
        .description('leave a host, a group or the fleet as it is')
        .argument(`<${scope}>`)
        .requiredOption(...reason),
    ).addHelpText(
      'after',
      examples(
        'varve hold db1 --reason "until the migration is over" --for 2h',
        'varve hold routers --reason "the provider works on the line" --until 2026-11-27T18:00',
        'varve hold fleet --reason "nobody is here"',
      ),
    ),
    async (context, [word = ''], options) =>
      (await import('../commands/people.ts')).runHold(context, word, said(options)),
  );
  talking(
    deps,
    program
      .command('release')
      .description('end a hold, and what a rollback has left')
      .argument(`<${scope}>`)
      .addHelpText('after', examples('varve release db1', 'varve release routers', 'varve release fleet')),
    async (context, [word = '']) => (await import('../commands/people.ts')).runRelease(context, word),
  );
}

function defineSuspension(program: Command, deps: ProgramDeps): void {
  talking(
    deps,
    program
      .command('suspend')
      .description('begin nothing anywhere, until `varve resume`')
      .requiredOption('-r, --reason <reason>', 'shown above the fleet')
      .addHelpText('after', examples('varve suspend --reason "the data centre is on batteries"')),
    async (context, _args, options) =>
      (await import('../commands/people.ts')).runSuspend(context, said(options)),
  );
  talking(
    deps,
    program
      .command('resume')
      .description('go on after `varve suspend`')
      .addHelpText('after', examples('varve resume')),
    async (context) => (await import('../commands/people.ts')).runResume(context),
  );
}

function defineRollback(program: Command, deps: ProgramDeps): void {
  talking(
    deps,
    ending(
      program
        .command('rollback')
        .description('return a host to what ran there before, and hold it there')
        .argument('<host>')
        .option('--to <generation>', 'to this one (`varve history <host>`)', generation)
        .requiredOption(...reason)
        .option('--revert', 'and undo in Git the commit that brought what it leaves', false),
    ).addHelpText(
      'after',
      examples(
        'varve rollback web1 --reason "the shop is down"',
        'varve rollback web1 --to 41 --reason "the shop is down" --for 12h --revert',
      ),
    ),
    async (context, [host = ''], options) =>
      (await import('../commands/people.ts')).runRollback(context, host, {
        ...said(options),
        to: typeof options['to'] === 'number' ? options['to'] : undefined,
        revert: options['revert'] === true,
      }),
  );
}

/** Two ways to say when it ends. */
function ending(command: Command): Command {
  return command
    .option('--for <time>', 'how long: 90s, 5m, 1h30m, 2d')
    .option('--until <time>', 'until when: 2026-11-27T18:00');
}

function said(options: Readonly<Record<string, unknown>>): {
  readonly reason: string;
  readonly for: string | undefined;
  readonly until: string | undefined;
} {
  return {
    reason: String(options['reason']),
    for: textOf(options['for']),
    until: textOf(options['until']),
  };
}

function generation(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('give the number of a generation');
  return Number(value);
}
