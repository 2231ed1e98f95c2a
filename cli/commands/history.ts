import {
  type ActView,
  FleetHistory,
  type GenerationResult,
  HostHistory,
} from '../../shared/contracts/api-history.ts';
import { parseHostName } from '../../shared/domain/names.ts';
import { type CommandContext, print } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { saidParts } from '../host-line.ts';
import { renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { clockTime, duration, shortRevision } from '../words.ts';
import { suspensionLine } from './banner.ts';
import { deliveryText } from './delivery-text.ts';

/** `varve history [host]`: of the fleet by observations, of a host by generations; the newest first. */
export async function runHistory(
  context: CommandContext,
  hostText: string | undefined,
  options: { readonly limit: number },
): Promise<ExitCode> {
  if (hostText === undefined) {
    const history = await context.api.get(`/history?limit=${options.limit}`, FleetHistory);
    return print(context, history, () => renderFleet(history, context.terminal));
  }
  const host = parseHostName(hostText);
  const history = await context.api.get(`/hosts/${host}/history?limit=${options.limit}`, HostHistory);
  return print(context, history, () => renderHost(history, context.terminal, context.now()));
}

function renderFleet(history: FleetHistory, terminal: Terminal): readonly string[] {
  const { paint } = terminal;
  const rows = history.observations.map(({ observation, release, hosts, durationMs }) => [
    String(observation.n),
    clockTime(observation.at),
    paint('cyan', shortRevision(observation.revision)),
    release.state === 'failed'
      ? paint('red', release.failure?.code ?? 'failed')
      : [
          ...(hosts.succeeded > 0 ? [paint('green', `${hosts.succeeded} deployed`)] : []),
          ...(hosts.unchanged > 0 ? [paint('dim', `${hosts.unchanged} unchanged`)] : []),
          ...(hosts.underWay > 0 ? [paint('cyan', `${hosts.underWay} under way`)] : []),
          ...(hosts.failed > 0 ? [paint('red', `${hosts.failed} failed`)] : []),
        ].join(', ') || paint('dim', 'nothing yet'),
    durationMs === undefined ? '' : duration(durationMs),
    `${observation.subject} ${paint('dim', `(${observation.author}${observation.forced ? ', force push' : ''})`)}`,
  ]);
  const columns = [
    { title: 'N', align: 'right' as const },
    { title: 'SEEN' },
    { title: 'REVISION' },
    { title: 'HOSTS' },
    { title: 'TOOK', align: 'right' as const },
    { title: 'COMMIT' },
  ];
  return [
    ...(rows.length === 0 ? ['nothing has been observed yet'] : renderTable(columns, rows, terminal)),
    ...actLines(history.acts, terminal),
  ];
}

/** What people said and did, under the rest. */
function actLines(acts: readonly ActView[], terminal: Terminal): readonly string[] {
  if (acts.length === 0) return [];
  const rows = acts.map((act) => [
    clockTime(act.at),
    act.by,
    act.act,
    act.host ?? act.scope ?? 'fleet',
    act.until === undefined ? '' : clockTime(act.until),
    act.text,
  ]);
  const titles = ['WHEN', 'WHO', 'ACT', 'WHAT', 'UNTIL', 'WHY'];
  return [
    '',
    ...renderTable(
      titles.map((title) => ({ title })),
      rows,
      terminal,
    ),
  ];
}

function renderHost(history: HostHistory, terminal: Terminal, now: number): readonly string[] {
  const { paint, signs } = terminal;
  const rows = history.generations.map((generation) => [
    String(generation.observation),
    clockTime(generation.at),
    generation.revision === undefined ? '-' : paint('cyan', shortRevision(generation.revision)),
    paintedResult(generation.result, terminal),
    generation.durationMs === undefined ? '' : duration(generation.durationMs),
    generation.deployment ?? '',
    [
      generation.failure === undefined
        ? (generation.subject ?? generation.reason)
        : paint('red', `${generation.failure.code} ${generation.failure.message.split('\n')[0]}`),
      ...(generation.delivery === undefined ? [] : [paint('dim', deliveryText(generation.delivery))]),
      ...(generation.actor === 'varve' ? [] : [paint('dim', `by ${generation.actor}`)]),
    ].join(` ${terminal.signs.dot} `),
  ]);
  const columns = [
    { title: 'N', align: 'right' as const },
    { title: 'WHEN' },
    { title: 'REVISION' },
    { title: 'RESULT' },
    { title: 'TOOK', align: 'right' as const },
    { title: 'DEPLOYMENT' },
    { title: 'WHAT' },
  ];
  return [
    ...(history.suspended === undefined ? [] : [suspensionLine(history.suspended, terminal, now)]),
    ...saidParts(history, now).map((said) => paint('yellow', `${signs.waiting} ${said}`)),
    ...(rows.length === 0
      ? [`${history.host} has no generations yet`]
      : renderTable(columns, rows, terminal)),
    ...actLines(history.acts, terminal),
  ];
}

export function paintedResult(result: GenerationResult, { paint }: Pick<Terminal, 'paint'>): string {
  switch (result) {
    case 'succeeded':
    case 'adopted':
      return paint('green', result);
    case 'unchanged':
    case 'superseded':
    case 'cancelled':
    case 'no-deployment':
      return paint('dim', result);
    case 'failed':
    case 'rolled-back':
    case 'stuck':
    case 'unconfirmed':
    case 'evaluation-failed':
      return paint('red', result);
    case 'awaiting-reboot':
      return paint('yellow', result);
    default:
      return paint('cyan', result);
  }
}
