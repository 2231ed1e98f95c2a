import type { HostStatus } from '../shared/contracts/api.ts';
import type { Health, ProgressView, Sync } from '../shared/contracts/api-common.ts';
import type { Terminal } from './terminal.ts';
import { holdText, overrideText, pinText } from './said-line.ts';
import { bytes, until } from './words.ts';

type View = Pick<Terminal, 'paint' | 'signs'>;

/** How bad a host is: the worst comes first. */
export function severity(host: Pick<HostStatus, 'sync' | 'health'>): number {
  if (host.sync === 'Stalled') return 0;
  if (host.health === 'Degraded') return 1;
  if (host.health === 'Unreachable') return 2;
  if (host.health === 'Progressing') return 3;
  if (host.sync === 'OutOfSync') return 4;
  if (host.health === 'Held') return 5;
  if (host.sync === 'Unknown' || host.health === 'Unknown') return 6;
  return 7;
}

export function worstFirst<Host extends Pick<HostStatus, 'sync' | 'health' | 'host'>>(
  hosts: readonly Host[],
): readonly Host[] {
  return [...hosts].sort(
    (a, b) => severity(a) - severity(b) || a.host.localeCompare(b.host, 'en', { numeric: true }),
  );
}

export function signOf(host: Pick<HostStatus, 'sync' | 'health'>, { paint, signs }: View): string {
  const grade = severity(host);
  if (grade <= 1) return paint('red', signs.bad);
  if (grade === 2) return paint('yellow', signs.bad);
  if (grade === 3) return paint('cyan', signs.moving);
  if (grade === 7) return paint('green', signs.good);
  return paint('yellow', signs.waiting);
}

export function paintedSync(sync: Sync, { paint }: View): string {
  switch (sync) {
    case 'Synced':
      return paint('green', sync);
    case 'OutOfSync':
      return paint('yellow', sync);
    case 'Stalled':
      return paint('red', sync);
    case 'Unknown':
      return paint('dim', sync);
  }
}

export function paintedHealth(health: Health, { paint }: View): string {
  switch (health) {
    case 'Healthy':
      return paint('green', health);
    case 'Progressing':
      return paint('cyan', health);
    case 'Degraded':
      return paint('red', health);
    case 'Unreachable':
    case 'Held':
      return paint('yellow', health);
    case 'Unknown':
      return paint('dim', health);
  }
}

/**
 * What is happening on a host (its deployment's phase first), or why nothing is, and what people said of it: parts of
 * one line.
 */
export function whatHappens(host: HostStatus, now: number): readonly string[] {
  const { deployment, hold } = host;
  const said = saidParts(host, now);
  // What is delivered may wait for days: then it is the wait that people look for, not how it came there.
  const waits = deployment?.phase === 'delivered' && host.verdict === 'wait';
  if (deployment !== undefined && !waits) {
    const parts = [deployment.phase, progressText(deployment.progress), deployment.activity];
    return [...parts.flatMap((part) => (part === undefined || part === '' ? [] : [part])), ...said];
  }
  // The hold is the reason, and says more.
  return host.verdict === 'held' && hold !== undefined ? said : [...reasonParts(host, now), ...said];
}

function reasonParts(host: HostStatus, now: number): readonly string[] {
  const reason = host.failure?.message.split('\n')[0] ?? host.reason;
  const when = host.until === undefined ? '' : ` (${until(host.until, now)})`;
  return host.waitsFor === undefined ? [`${reason}${when}`] : [reason, `waits for ${host.waitsFor}${when}`];
}

/** A host as it is shown, with what people said of it; the `reason` stands beside that. */
export type SaidOfHost = Pick<HostStatus, 'host' | 'hold' | 'pin' | 'override'> & {
  readonly reason?: string | undefined;
};

/** Whatever a person said of a host is with it wherever it is shown. */
export function saidParts({ host, hold, pin, override, reason }: SaidOfHost, now: number): readonly string[] {
  return [
    ...(pin === undefined ? [] : [pinText(pin, { hold, reason }, now)]),
    ...(hold === undefined ? [] : [holdText(hold, host, now)]),
    ...(override === undefined ? [] : [overrideText(override, now)]),
  ];
}

export function progressText(progress: ProgressView | undefined): string | undefined {
  if (progress === undefined) return undefined;
  const sized = /byte/i.test(progress.what);
  const done = sized ? bytes(progress.done) : String(progress.done);
  const total = sized ? bytes(progress.total) : String(progress.total);
  const { paths } = progress;
  const also = paths === undefined ? '' : `, ${paths.done} of ${paths.total} paths`;
  return `${done} of ${total}${sized ? '' : ` ${progress.what}`}${also}`;
}
