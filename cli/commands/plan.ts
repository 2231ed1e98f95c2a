import { PlanView, type VerdictView } from '../../shared/contracts/api.ts';
import type { VerdictKind } from '../../shared/contracts/api-common.ts';
import { type CommandContext, print } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { saidParts } from '../host-line.ts';
import { renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { shortPath, shortRevision, until } from '../words.ts';
import { suspensionLine } from './banner.ts';

/** `varve plan`: what the next pass would do. Reading it does nothing. */
export async function runPlan(context: CommandContext): Promise<ExitCode> {
  const plan = await context.api.get('/plan', PlanView);
  return print(context, plan, () => renderPlan(plan, context.terminal, context.now()));
}

const order: readonly VerdictKind[] = [
  'stalled',
  'activate',
  'finalise',
  'deliver',
  'wait',
  'probe',
  'unreachable',
  'held',
  'unmanaged',
  'orphaned',
  'superseded',
  'in-sync',
];

function renderPlan(plan: PlanView, terminal: Terminal, now: number): readonly string[] {
  const verdicts = [...plan.verdicts].sort(
    (a, b) =>
      order.indexOf(a.verdict) - order.indexOf(b.verdict) ||
      a.host.localeCompare(b.host, 'en', { numeric: true }),
  );
  const rows = verdicts.map((verdict) => [
    terminal.paint('bold', verdict.host),
    paintedVerdict(verdict.verdict, terminal),
    change(verdict, terminal),
    planParts(verdict, now).join(` ${terminal.signs.dot} `),
  ]);
  const { observation } = plan;
  return [
    observation === undefined
      ? 'nothing has been observed yet'
      : `for ${terminal.paint('cyan', shortRevision(observation.revision))} ${observation.subject}`,
    ...(plan.suspended === undefined ? [] : [suspensionLine(plan.suspended, terminal, now)]),
    '',
    ...(rows.length === 0
      ? ['no hosts']
      : renderTable(
          [{ title: 'HOST' }, { title: 'VERDICT' }, { title: 'CHANGE' }, { title: 'REASON' }],
          rows,
          terminal,
        )),
    ...(plan.requeueAt === undefined
      ? []
      : ['', terminal.paint('dim', `next look ${until(plan.requeueAt, now)}`)]),
  ];
}

function planParts(verdict: VerdictView, now: number): readonly string[] {
  const said = saidParts(verdict, now);
  // The hold is the reason, and says more.
  if (verdict.verdict === 'held' && verdict.hold !== undefined) return said;
  return [
    verdict.reason,
    ...(verdict.waitsFor === undefined ? [] : [`waits for ${verdict.waitsFor}`]),
    ...(verdict.until === undefined ? [] : [until(verdict.until, now)]),
    ...said,
  ];
}

function change(verdict: VerdictView, { signs, paint }: Terminal): string {
  const { from, to } = verdict;
  if (to === undefined || from === to) return paint('dim', 'none');
  return `${from === undefined ? 'unknown' : hashOf(from)} ${signs.arrow} ${hashOf(to)}`;
}

function hashOf(storePath: string): string {
  return shortPath(storePath).split('-')[0] ?? storePath;
}

export function paintedVerdict(verdict: VerdictKind, { paint }: Pick<Terminal, 'paint'>): string {
  switch (verdict) {
    case 'in-sync':
      return paint('green', verdict);
    case 'stalled':
      return paint('red', verdict);
    case 'activate':
    case 'finalise':
    case 'deliver':
    case 'probe':
      return paint('cyan', verdict);
    default:
      return paint('yellow', verdict);
  }
}
