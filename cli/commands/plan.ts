import { PlanView, type VerdictView, Why } from '../../shared/contracts/api.ts';
import type { VerdictKind } from '../../shared/contracts/api-common.ts';
import { parseHostName } from '../../shared/domain/names.ts';
import { type CommandContext, print } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { paintedHealth, paintedSync } from '../host-line.ts';
import { renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { clockTime, shortPath, shortRevision, until } from '../words.ts';

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
    [
      verdict.reason,
      ...(verdict.waitsFor === undefined ? [] : [`waits for ${verdict.waitsFor}`]),
      ...(verdict.until === undefined ? [] : [until(verdict.until, now)]),
    ].join(` ${terminal.signs.dot} `),
  ]);
  const { observation } = plan;
  return [
    observation === undefined
      ? 'nothing has been observed yet'
      : `for ${terminal.paint('cyan', shortRevision(observation.revision))} ${observation.subject}`,
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

/** `varve why <host>`: the chain of reasons, the deepest last. */
export async function runWhy(context: CommandContext, hostText: string): Promise<ExitCode> {
  const host = parseHostName(hostText);
  const why = await context.api.get(`/hosts/${host}/why`, Why);
  const { terminal } = context;
  const { paint, signs } = terminal;
  // The chain begins with the verdict's own reason, which stands above it.
  const chain = why.chain.filter(({ statement }, depth) => depth > 0 || statement !== why.reason);
  return print(context, why, () => [
    `${paint('bold', why.host)} is ${paintedSync(why.sync, terminal)} and ${paintedHealth(why.health, terminal)}`,
    `${paintedVerdict(why.verdict, terminal)}: ${why.reason}`,
    ...chain.map((link, depth) => {
      const facts = [
        ...(link.revision === undefined ? [] : [shortRevision(link.revision)]),
        ...(link.deployment === undefined ? [] : [link.deployment]),
        ...(link.at === undefined ? [] : [clockTime(link.at)]),
        ...(link.until === undefined ? [] : [until(link.until, context.now())]),
      ];
      return `${'  '.repeat(depth)}  because ${link.statement}${facts.length === 0 ? '' : ` ${paint('dim', `(${facts.join(', ')})`)}`}`;
    }),
    ...(why.advice === undefined ? [] : [`${paint('cyan', signs.arrow)} ${why.advice}`]),
  ]);
}
