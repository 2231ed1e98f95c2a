import { LogLine, LogView } from '../../shared/contracts/api-history.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { parseDeploymentId } from '../../shared/domain/names.ts';
import type { CommandContext } from '../context.ts';
import { readEvents } from '../event-reader.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { harmless } from '../terminal.ts';
import { clockTime } from '../words.ts';

/** `varve logs <deployment> [-f]`: its log so far, or as it comes until the deployment has ended. */
export async function runLogs(
  context: CommandContext,
  idText: string,
  options: { readonly follow: boolean },
): Promise<ExitCode> {
  const id = parseDeploymentId(idText);
  if (options.follow) return follow(context, `/deployments/${id}/log?follow`);
  const log = await context.api.get(`/deployments/${id}/log`, LogView);
  if (context.output === 'json') context.terminal.line(JSON.stringify(log, undefined, 2));
  else for (const line of log.lines) show(context, line);
  return exitCodes.ok;
}

function show({ terminal }: CommandContext, line: LogLine): void {
  terminal.line(`${terminal.paint('dim', clockTime(line.at))}  ${harmless(line.line)}`);
}

/** A stream that breaks is taken up again after the last line that was shown. */
async function follow(context: CommandContext, path: string): Promise<ExitCode> {
  let last: string | undefined;
  let failures = 0;
  while (!context.signal.aborted) {
    try {
      const body = await context.api.stream(path, { signal: context.signal, lastEventId: last });
      for await (const event of readEvents(body)) {
        failures = 0;
        if (event.id !== undefined) last = event.id;
        if (event.name === 'end') return exitCodes.ok;
        if (event.name !== 'line') continue;
        const line = LogLine.parse(JSON.parse(event.data));
        if (context.output === 'json') context.terminal.line(JSON.stringify(line));
        else show(context, line);
      }
    } catch (thrown) {
      if (context.signal.aborted) break;
      // Not found and not allowed stay so; a controller that restarts comes back.
      if (thrown instanceof FleetError && thrown.code !== 'CONTROLLER_UNREACHABLE') throw thrown;
      failures += 1;
      if (failures > 10) throw thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(200 * 2 ** failures, 3_000)));
  }
  return exitCodes.ok;
}
