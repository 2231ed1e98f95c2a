import { CommandDone, RevertDone, SyncAsked } from '../../shared/contracts/api-commands.ts';
import { parseHostName } from '../../shared/domain/names.ts';
import { type CommandContext, print } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { resolveRevision } from '../resolve-revision.ts';
import { shortRevision } from '../words.ts';
import { runWait } from './wait.ts';

/** `varve sync`: look at the repository now. */
export async function runSync(
  context: CommandContext,
  options: { readonly wait: boolean; readonly timeoutMs: number },
): Promise<ExitCode> {
  const asked = await context.api.post('/sync', {}, SyncAsked);
  if (options.wait) {
    return runWait(context, { revision: undefined, timeoutMs: options.timeoutMs, lookedSince: asked.at });
  }
  return print(context, asked, () => ['the repository is looked at now']);
}

/** `varve retry [host]`: forget remembered failures. */
export async function runRetry(context: CommandContext, hostText: string | undefined): Promise<ExitCode> {
  const body = hostText === undefined ? {} : { host: parseHostName(hostText) };
  return done(context, await context.api.post('/retry', body, CommandDone));
}

/** `varve adopt <host>`. */
export async function runAdopt(
  context: CommandContext,
  hostText: string,
  options: { readonly takeover: boolean },
): Promise<ExitCode> {
  const host = parseHostName(hostText);
  return done(
    context,
    await context.api.post(`/hosts/${host}/adopt`, { takeover: options.takeover }, CommandDone),
  );
}

/** `varve revert <rev>`: a commit that undoes it, made and pushed. */
export async function runRevert(context: CommandContext, text: string): Promise<ExitCode> {
  const revision = await resolveRevision(context.api, text);
  const made = await context.api.post('/revert', { revision }, RevertDone);
  return print(context, made, () => [
    `${shortRevision(made.reverted)} is undone by ${context.terminal.paint('cyan', made.revision)} on ${made.ref}`,
    `${context.terminal.paint('cyan', context.terminal.signs.arrow)} varve wait --revision ${made.revision}`,
  ]);
}

/** What a command came to. */
export function done(context: CommandContext, answer: CommandDone): ExitCode {
  return print(context, answer, () => [
    `${context.terminal.paint('green', context.terminal.signs.good)} ${answer.message}`,
  ]);
}
