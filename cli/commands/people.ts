import { CommandDone, RollbackDone } from '../../shared/contracts/api-commands.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { parseHostName } from '../../shared/domain/names.ts';
import { type CommandContext, print } from '../context.ts';
import { type EndOptions, endOf } from '../end-time.ts';
import { exitCodeOf, exitCodes, type ExitCode } from '../exit-codes.ts';
import { shortRevision } from '../words.ts';
import { done } from './act.ts';
import { failureLines } from './status.ts';

interface Reasoned {
  readonly reason: string;
}

/** `varve hold <host|group|fleet>`: leave it as it is. */
export async function runHold(
  context: CommandContext,
  scope: string,
  options: Reasoned & EndOptions,
): Promise<ExitCode> {
  const body = { scope, reason: reasonOf(options), ...ending(context, options) };
  return done(context, await context.api.post('/hold', body, CommandDone));
}

/** `varve release <host|group|fleet>`. */
export async function runRelease(context: CommandContext, scope: string): Promise<ExitCode> {
  return done(context, await context.api.post('/release', { scope }, CommandDone));
}

/** `varve suspend`: nothing is begun anywhere. */
export async function runSuspend(context: CommandContext, options: Reasoned): Promise<ExitCode> {
  return done(context, await context.api.post('/suspend', { reason: reasonOf(options) }, CommandDone));
}

/** `varve resume`. */
export async function runResume(context: CommandContext): Promise<ExitCode> {
  return done(context, await context.api.post('/resume', {}, CommandDone));
}

/** `varve override <host|group|fleet>`: windows and freezes do not count for a while. */
export async function runOverride(
  context: CommandContext,
  scope: string,
  options: Reasoned & EndOptions,
): Promise<ExitCode> {
  const reason = reasonOf(options);
  const until = endOf(options, context.now());
  if (until === undefined) {
    throw new FleetError({
      code: 'INVALID_INPUT',
      disposition: 'stalled',
      message: 'an override needs an end',
      hint: '--for 1h, or --until 2026-11-27T18:00',
    });
  }
  return done(context, await context.api.post('/override', { scope, reason, until }, CommandDone));
}

/** `varve rollback <host>`: back to what ran before, and held there. */
export async function runRollback(
  context: CommandContext,
  hostText: string,
  options: Reasoned & EndOptions & { readonly to: number | undefined; readonly revert: boolean },
): Promise<ExitCode> {
  const host = parseHostName(hostText);
  const body = {
    reason: reasonOf(options),
    ...ending(context, options),
    ...(options.to === undefined ? {} : { toGeneration: options.to }),
    revert: options.revert,
  };
  const answer = await context.api.post(`/hosts/${host}/rollback`, body, RollbackDone);
  const { revertFailure } = answer;
  const code = revertFailure === undefined ? exitCodes.ok : exitCodeOf(new FleetError(revertFailure));
  return print(context, answer, () => rollbackLines(answer, context), code);
}

function rollbackLines(
  { host, message, to, reverted, revertFailure }: RollbackDone,
  { terminal }: CommandContext,
): readonly string[] {
  const { paint, signs } = terminal;
  const arrow = paint('cyan', signs.arrow);
  return [
    `${paint('green', signs.good)} ${message}`,
    `  ${paint('dim', to.toplevel)}`,
    ...(reverted === undefined
      ? []
      : [
          `${paint('green', signs.good)} ${shortRevision(reverted.reverted)} is undone by ${paint('cyan', reverted.revision)} on ${reverted.ref}`,
        ]),
    ...(revertFailure === undefined
      ? []
      : failureLines('the commit is not undone; the roll back stands', revertFailure, terminal)),
    `${arrow} varve why ${host}`,
    `${arrow} varve release ${host}   once the repository has what should run there`,
  ];
}

function ending(context: CommandContext, options: EndOptions): { readonly until?: number } {
  const until = endOf(options, context.now());
  return until === undefined ? {} : { until };
}

function reasonOf({ reason }: Reasoned): string {
  if (reason.trim() !== '') return reason;
  throw new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: 'say why: the reason is shown wherever the host is',
    hint: '--reason "until the migration is over"',
  });
}
