import { type HostStatus, Status } from '../../shared/contracts/api.ts';
import { type CommandContext, print } from '../context.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { paintedHealth, paintedSync, signOf, whatHappens, worstFirst } from '../host-line.ts';
import { renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { ago, counted, duration, shortPath, shortRevision } from '../words.ts';
import { bannerLines } from './banner.ts';

/** `varve status`: the whole fleet, the worst first. */
export async function runStatus(
  context: CommandContext,
  options: { readonly wide: boolean; readonly exitCode: boolean },
): Promise<ExitCode> {
  const status = await context.api.get('/status', Status);
  const code = options.exitCode ? codeOf(status) : exitCodes.ok;
  return print(
    context,
    status,
    () => renderStatus(status, context.terminal, { now: context.now(), wide: options.wide }),
    code,
  );
}

/** 7 where something is stalled, 3 where a host is not there yet. */
export function codeOf(status: Pick<Status, 'hosts' | 'source' | 'notJudged'>): ExitCode {
  if (status.hosts.some((host) => host.sync === 'Stalled') || status.source.state === 'failing') {
    return exitCodes.stalled;
  }
  if (status.notJudged !== undefined) return exitCodes.notConverged;
  return status.hosts.every((host) => host.sync === 'Synced') ? exitCodes.ok : exitCodes.notConverged;
}

export function renderStatus(
  status: Status,
  terminal: Terminal,
  options: { readonly now: number; readonly wide: boolean },
): readonly string[] {
  const { now } = options;
  const hosts = worstFirst(status.hosts);
  const columns = [
    { title: ' ' },
    { title: 'HOST' },
    { title: 'SYNC' },
    { title: 'HEALTH' },
    { title: 'REVISION' },
    { title: 'GEN', align: 'right' as const },
    ...(options.wide ? [{ title: 'ADDRESS' }, { title: 'CURRENT' }, { title: 'CONTACT' }] : []),
    { title: 'WHAT' },
  ];
  const rows = hosts.map((host) => [
    signOf(host, terminal),
    terminal.paint('bold', host.host),
    paintedSync(host.sync, terminal),
    paintedHealth(host.health, terminal),
    revisionCell(host, status, terminal),
    host.profileGeneration === undefined ? '' : String(host.profileGeneration),
    ...(options.wide
      ? [
          host.address,
          host.current === undefined ? '' : shortPath(host.current),
          host.lastContactAt === undefined ? 'never' : ago(host.lastContactAt, now),
        ]
      : []),
    whatHappens(host, now).join(` ${terminal.signs.dot} `),
  ]);
  return [
    ...headLines(status, terminal, now),
    '',
    ...(hosts.length === 0
      ? [status.notJudged?.message ?? 'no hosts yet']
      : renderTable(columns, rows, terminal)),
    ...adviceLines(hosts, terminal),
  ];
}

/** What Git says, how the source does, who leads, how many hosts are how. */
export function headLines(status: Status, terminal: Terminal, now: number): readonly string[] {
  const { paint, signs } = terminal;
  const { source, observation, release, leader } = status;
  const lines: string[] = [];
  lines.push(
    observation === undefined
      ? `${paint('bold', source.ref)} has not been seen yet`
      : `${paint('bold', source.ref)} at ${paint('cyan', shortRevision(observation.revision))} ${observation.subject} ` +
          paint(
            'dim',
            `(${observation.author}, seen ${ago(observation.at, now)}, observation ${observation.n})`,
          ),
  );
  const details = [
    source.repository,
    source.lastLookAt === undefined ? 'not looked at yet' : `looked ${ago(source.lastLookAt, now)}`,
    ...(release.state === 'evaluating' ? ['evaluating'] : []),
    ...(release.state === 'complete' && release.durationMs !== undefined
      ? [`evaluated in ${duration(release.durationMs)}`]
      : []),
    ...(leader.kind === 'other' ? [`led by ${leader.address ?? 'another controller'}`] : []),
    ...(leader.kind === 'none' ? ['nobody leads right now'] : []),
  ];
  lines.push(paint('dim', details.join(` ${signs.dot} `)));
  if (source.failure !== undefined) {
    lines.push(...failureLines('the source is failing; hosts keep what they have', source.failure, terminal));
  }
  if (release.failure !== undefined) {
    lines.push(
      ...failureLines(
        'this revision cannot be evaluated; hosts keep what they have',
        release.failure,
        terminal,
      ),
    );
  }
  lines.push(...bannerLines(status, terminal, now));
  if (status.hosts.length > 0) lines.push(summary(status.hosts));
  return lines;
}

/** Code, message and hint of a failure, under a headline. */
export function failureLines(
  headline: string,
  failure: { readonly code: string; readonly message: string; readonly hint?: string | undefined },
  { paint, signs }: Pick<Terminal, 'paint' | 'signs'>,
): readonly string[] {
  const [first = '', ...more] = failure.message.split('\n');
  return [
    paint('red', `${signs.bad} ${headline}`),
    `  ${paint('bold', failure.code)} ${first}`,
    ...more.map((line) => `  ${line}`),
    ...(failure.hint === undefined ? [] : [`  ${paint('cyan', signs.arrow)} ${failure.hint}`]),
  ];
}

function summary(hosts: readonly HostStatus[]): string {
  const groups = new Map<string, number>();
  for (const host of worstFirst(hosts)) {
    const unremarkable = host.health === 'Healthy' || host.health === 'Unknown' || host.health === 'Degraded';
    const name = unremarkable ? host.sync : host.health;
    groups.set(name, (groups.get(name) ?? 0) + 1);
  }
  const parts = [...groups].map(([name, count]) => `${count} ${name}`);
  return `${counted(hosts.length, 'host')}: ${parts.join(', ')}`;
}

/** The revision that was confirmed last; dim where a newer one is wanted. */
function revisionCell(host: HostStatus, status: Status, { paint }: Terminal): string {
  if (host.revision === undefined) return paint('dim', '-');
  const short = shortRevision(host.revision);
  return host.revision === status.observation?.revision ? short : paint('dim', short);
}

function adviceLines(hosts: readonly HostStatus[], { paint, signs }: Terminal): readonly string[] {
  const stalled = hosts.filter((host) => host.sync === 'Stalled');
  const foreign = hosts.find((host) => host.verdict === 'unmanaged');
  const arrow = paint('cyan', signs.arrow);
  const lines: string[] = [];
  for (const host of stalled.slice(0, 3)) {
    if (host.failure?.hint !== undefined) lines.push(`${arrow} ${host.host}: ${host.failure.hint}`);
  }
  const [first] = stalled;
  if (first !== undefined) lines.push(`${arrow} varve why ${first.host}`);
  if (foreign !== undefined) lines.push(`${arrow} varve adopt ${foreign.host}`);
  return lines.length === 0 ? [] : ['', ...lines];
}
