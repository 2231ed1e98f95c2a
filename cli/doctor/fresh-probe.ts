import { setTimeout as pause } from 'node:timers/promises';
import { ProbesAsked } from '../../shared/contracts/api-commands.ts';
import { Status } from '../../shared/contracts/api.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { CommandContext } from '../context.ts';
import { hasAnswered, isAsked } from './hosts.ts';

export interface Fresh {
  readonly status: Status;
  /** When all hosts were asked. */
  readonly since: number | undefined;
  /** Why they could not be asked: what is shown is older. */
  readonly refused: FleetError | undefined;
}

export interface Patience {
  /** For all hosts: a hung one is given up by its worker after a minute. */
  readonly allMs: number;
  /** For the first of them: later than this no worker is at it. */
  readonly firstMs: number;
  readonly everyMs: number;
}

export const usualPatience: Patience = { allMs: 90_000, firstMs: 20_000, everyMs: 250 };

/** Has every host probed and waits for that, with progress where a person looks. @throws FleetError */
export async function freshStatus(context: CommandContext, patience: Patience): Promise<Fresh> {
  const { api } = context;
  let since: number;
  try {
    since = (await api.post('/probe', {}, ProbesAsked)).at;
  } catch (thrown) {
    if (!(thrown instanceof FleetError)) throw thrown;
    return { status: await api.get('/status', Status), since: undefined, refused: thrown };
  }
  const started = performance.now();
  const progress = createProgress(context);
  try {
    for (;;) {
      const status = await api.get('/status', Status);
      const asked = status.hosts.filter(isAsked);
      const answered = asked.filter((host) => hasAnswered(host, since));
      progress.show(answered.length, asked.length);
      const waited = performance.now() - started;
      const over = waited >= (answered.length === 0 ? patience.firstMs : patience.allMs);
      if (answered.length === asked.length || over) return { status, since, refused: undefined };
      await pause(patience.everyMs, undefined, { signal: context.signal });
    }
  } finally {
    progress.end();
  }
}

function createProgress({ terminal, output }: CommandContext): {
  show(done: number, all: number): void;
  end(): void;
} {
  if (!terminal.interactive || output === 'json') return { show: () => {}, end: () => {} };
  const clear = '\r\u001b[2K';
  return {
    show: (done, all) =>
      terminal.raw(clear + terminal.paint('dim', `asking every host: ${done} of ${all} answered`)),
    end: () => terminal.raw(clear),
  };
}
