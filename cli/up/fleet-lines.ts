import type { FleetHappening } from '../../shared/contracts/api-events.ts';
import type { HostStatus, LiveDeployment, Status } from '../../shared/contracts/api.ts';
import type { Phase } from '../../shared/domain/deployment.ts';
import { headLines } from '../commands/status.ts';
import { paintedHealth, paintedSync, signOf, whatHappens, worstFirst } from '../host-line.ts';
import { renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { counted, duration, shortRevision } from '../words.ts';

/** Where in the whole of a deployment a phase begins, and how much of it it is. */
const share: Readonly<Partial<Record<Phase, readonly [number, number]>>> = {
  pending: [0, 0.02],
  delivering: [0.02, 0.58],
  delivered: [0.6, 0.02],
  activating: [0.62, 0.2],
  confirming: [0.82, 0.16],
  'rolling-back': [0.9, 0.05],
};
const barWidth = 16;

/** The live block: what Git says, and one line per host with phase, bar, and what is happening. */
export function fleetLines(status: Status, terminal: Terminal, now: number, rows: number): readonly string[] {
  const head = headLines(status, terminal, now);
  const hosts = worstFirst(status.hosts);
  const room = Math.max(3, rows - head.length - 4);
  const shown = hosts.length > room ? hosts.slice(0, room - 1) : hosts;
  const table = renderTable(
    [{ title: ' ' }, { title: 'HOST' }, { title: 'STATE' }, { title: '' }, { title: '' }],
    shown.map((host) => hostCells(host, terminal, now)),
    terminal,
  ).slice(1);
  const rest = hosts.length - shown.length;
  return [
    ...head,
    '',
    ...table,
    ...(rest === 0
      ? []
      : [terminal.paint('dim', `  and ${counted(rest, 'more host', 'more hosts')}, doing better`)]),
  ];
}

function hostCells(host: HostStatus, terminal: Terminal, now: number): readonly string[] {
  const { deployment } = host;
  const { paint, signs } = terminal;
  const parts = whatHappens(host, now);
  const between = ` ${signs.dot} `;
  if (deployment === undefined) {
    const state =
      host.health === 'Unreachable' || host.health === 'Held' || host.health === 'Degraded'
        ? paintedHealth(host.health, terminal)
        : paintedSync(host.sync, terminal);
    return [signOf(host, terminal), paint('bold', host.host), state, '', paint('dim', parts.join(between))];
  }
  const colour = deployment.phase === 'rolling-back' ? 'red' : 'cyan';
  // The phase has a column of its own.
  const [phase, ...happening] = parts;
  return [
    paint(colour, signs.moving),
    paint('bold', host.host),
    paint(colour, phase ?? ''),
    bar(deployment, terminal),
    `${paint('dim', duration(Math.max(0, now - deployment.createdAt)))}  ${happening.join(between)}`,
  ];
}

function bar(deployment: LiveDeployment, { paint, signs }: Terminal): string {
  const [from, size] = share[deployment.phase] ?? [1, 0];
  const { progress } = deployment;
  const within =
    progress === undefined || progress.total <= 0 ? 0 : Math.min(1, progress.done / progress.total);
  const full = Math.round((from + size * within) * barWidth);
  const colour = deployment.phase === 'rolling-back' ? 'red' : 'cyan';
  return paint(colour, signs.full.repeat(full)) + paint('dim', signs.empty.repeat(barWidth - full));
}

/** One line for what happened; nothing for what only moves a bar. */
export function happeningLine(happening: FleetHappening, { paint, signs }: Terminal): string | undefined {
  switch (happening.kind) {
    case 'observation':
      return `${paint('cyan', shortRevision(happening.revision))} ${happening.subject} ${paint('dim', `(${happening.author}${happening.reason === 'NonFastForward' ? `, force push over ${shortRevision(happening.from ?? '')}` : ''}, observation ${happening.n})`)}`;
    case 'source':
      return happening.failure === undefined
        ? `the repository is ${happening.state}`
        : paint(
            'red',
            `${signs.bad} the repository is ${happening.state}: ${happening.failure.code} ${oneLine(happening.failure.message)}`,
          );
    case 'release':
      if (happening.failure !== undefined) {
        return paint(
          'red',
          `${signs.bad} evaluation: ${happening.failure.code} ${oneLine(happening.failure.message)}`,
        );
      }
      return happening.state === 'complete' && happening.durationMs !== undefined
        ? `evaluated in ${duration(happening.durationMs)}`
        : undefined;
    case 'deployment': {
      const { host, phase, deployment, failure, reason } = happening;
      const name = `${paint('bold', host)} ${phaseColour(phase, paint)}`;
      if (failure !== undefined && phase !== 'superseded') {
        return `${name} ${paint('red', failure.code)} ${oneLine(failure.message)} ${paint('dim', deployment)}`;
      }
      return `${name} ${phase === 'pending' ? reason : ''} ${paint('dim', deployment)}`.replace(
        / {2,}/g,
        ' ',
      );
    }
    case 'progress':
      return undefined;
    case 'host':
      return `${paint('bold', happening.host)} ${happening.sync}, ${happening.health}: ${oneLine(happening.reason)}`;
    case 'command':
      return `${happening.act} ${happening.host ?? happening.scope ?? 'fleet'} ${paint('dim', `by ${happening.by}`)}`;
    case 'leader':
      return happening.leading ? 'this controller leads' : 'this controller stands by';
    case 'reset':
      return undefined;
  }
}

function phaseColour(phase: Phase, paint: Terminal['paint']): string {
  switch (phase) {
    case 'succeeded':
      return paint('green', phase);
    case 'failed':
    case 'rolled-back':
    case 'rolling-back':
    case 'stuck':
    case 'unconfirmed':
      return paint('red', phase);
    case 'superseded':
    case 'cancelled':
      return paint('dim', phase);
    default:
      return paint('cyan', phase);
  }
}

function oneLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
