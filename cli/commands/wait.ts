import { setTimeout as pause } from 'node:timers/promises';
import { Shown } from '../../shared/contracts/api-history.ts';
import { Status } from '../../shared/contracts/api.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { type Convergence, convergence } from '../convergence.ts';
import type { CommandContext } from '../context.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { resolveRevision } from '../resolve-revision.ts';
import { counted, duration, shortRevision } from '../words.ts';

export interface WaitOptions {
  /** Of the tracked ref; without it, whatever is newest. */
  readonly revision: string | undefined;
  readonly timeoutMs: number;
  /** The source must have been looked at since then. */
  readonly lookedSince?: number;
}

const everyMs = 500;

/** `varve wait`: until every host runs and is confirmed on the revision. */
export async function runWait(context: CommandContext, options: WaitOptions): Promise<ExitCode> {
  const started = performance.now();
  const revision =
    options.revision === undefined ? undefined : await wholeRevision(context, options.revision);
  let said = '';
  for (;;) {
    const now = await look(context, revision, options.lookedSince);
    const elapsed = performance.now() - started;
    if (now.kind !== 'waiting') return conclude(context, now, elapsed);
    if (now.what !== said && context.output === 'text') {
      said = now.what;
      context.terminal.aside(context.terminal.paint('dim', `waiting for: ${said}`));
    }
    if (elapsed >= options.timeoutMs) {
      throw new FleetError({
        code: 'NOT_CONVERGED',
        disposition: 'transient',
        message: `not there after ${duration(options.timeoutMs)}; still waiting for: ${now.what}`,
        hint: '`varve status` shows every host, `varve why <host>` the reasons',
      });
    }
    await pause(everyMs, undefined, { signal: context.signal });
  }
}

/** A controller that restarts meanwhile is waited for. */
async function look(
  context: CommandContext,
  revision: string | undefined,
  lookedSince: number | undefined,
): Promise<Convergence> {
  try {
    const status = await context.api.get('/status', Status);
    if (lookedSince !== undefined) {
      const { lastLookAt = 0, failure, revision: found } = status.source;
      if (lastLookAt < lookedSince) return { kind: 'waiting', what: 'the look at the repository' };
      if (failure !== undefined) throw new FleetError(failure);
      if (found !== undefined && found !== status.observation?.revision) {
        return { kind: 'waiting', what: 'what was found to be judged' };
      }
    }
    const elsewhere = revision !== undefined && status.observation?.revision !== revision;
    return convergence(status, { revision, observed: elsewhere && (await wasObserved(context, revision)) });
  } catch (thrown) {
    if (
      thrown instanceof FleetError &&
      (thrown.code === 'CONTROLLER_UNREACHABLE' || thrown.code === 'TIMED_OUT')
    ) {
      return { kind: 'waiting', what: thrown.message };
    }
    throw thrown;
  }
}

async function wasObserved({ api }: CommandContext, revision: string): Promise<boolean> {
  try {
    await api.get(`/revisions/${revision}`, Shown);
    return true;
  } catch (thrown) {
    if (thrown instanceof FleetError && thrown.code === 'NOT_FOUND') return false;
    throw thrown;
  }
}

function conclude(
  context: CommandContext,
  end: Exclude<Convergence, { kind: 'waiting' }>,
  elapsed: number,
): ExitCode {
  const { terminal, output } = context;
  if (output === 'json')
    terminal.line(JSON.stringify({ ...end, durationMs: Math.round(elapsed) }, undefined, 2));
  switch (end.kind) {
    case 'converged': {
      const alone = end.leftAlone.length === 0 ? '' : `; left alone: ${end.leftAlone.join(', ')}`;
      if (output === 'text')
        terminal.line(
          `${terminal.paint('green', terminal.signs.good)} converged after ${duration(elapsed)}${alone}`,
        );
      return exitCodes.ok;
    }
    case 'superseded':
      if (output === 'text')
        terminal.line(`superseded: ${shortRevision(end.by)} is newer, and the fleet goes there`);
      return exitCodes.notConverged;
    case 'stalled':
      if (output === 'text') {
        const hosts =
          end.hosts.length === 0 ? '' : `${counted(end.hosts.length, 'host')} (${end.hosts.join(', ')}): `;
        terminal.line(`${terminal.paint('red', terminal.signs.bad)} stalled: ${hosts}${end.why}`);
        const [first] = end.hosts;
        if (first !== undefined)
          terminal.line(`${terminal.paint('cyan', terminal.signs.arrow)} varve why ${first}`);
      }
      return exitCodes.stalled;
  }
}

/** A whole SHA need not have been observed yet: that is what is waited for. */
async function wholeRevision(context: CommandContext, text: string): Promise<string> {
  return resolveRevision(context.api, text);
}
