import { Why, type WhyLink } from '../../shared/contracts/api.ts';
import { parseHostName } from '../../shared/domain/names.ts';
import { type CommandContext, print } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { paintedHealth, paintedSync } from '../host-line.ts';
import type { Terminal } from '../terminal.ts';
import { clockTime, shortRevision, until } from '../words.ts';
import { paintedVerdict } from './plan.ts';

/** `varve why <host>`: the answer in one line, then the chain of reasons, the deepest last. */
export async function runWhy(context: CommandContext, hostText: string): Promise<ExitCode> {
  const host = parseHostName(hostText);
  const why = await context.api.get(`/hosts/${host}/why`, Why);
  return print(context, why, () => renderWhy(why, context.terminal, context.now()));
}

export function renderWhy(why: Why, terminal: Terminal, now: number): readonly string[] {
  const { paint, signs } = terminal;
  // The chain begins with the verdict's own reason, which stands above it.
  const chain = why.chain.filter(({ statement }, depth) => depth > 0 || statement !== why.reason);
  const since = why.since === undefined ? '' : paint('dim', ` (since ${clockTime(why.since)})`);
  return [
    `${paint('bold', why.host)} ${headline(why, now)}${since}`,
    `${paintedVerdict(why.verdict, terminal)}: it is ${paintedSync(why.sync, terminal)} and ${paintedHealth(why.health, terminal)}`,
    ...chain.map((link, depth) => `${'  '.repeat(depth)}  because ${linkText(link, terminal, now)}`),
    ...(why.advice === undefined ? [] : [`${paint('cyan', signs.arrow)} ${why.advice}`]),
  ];
}

/** `waits for wave canary until 2026-11-27 18:00:00 (in 2 h): canary soaks`. */
function headline({ waitsFor, until: end, reason, verdict }: Why, now: number): string {
  const when = end === undefined ? '' : ` until ${clockTime(end)} (${until(end, now)})`;
  return waitsFor === undefined ? `${verdict}${when}: ${reason}` : `waits for ${waitsFor}${when}: ${reason}`;
}

function linkText(link: WhyLink, { paint }: Terminal, now: number): string {
  const facts = [
    ...(link.revision === undefined ? [] : [shortRevision(link.revision)]),
    ...(link.deployment === undefined ? [] : [link.deployment]),
    ...(link.at === undefined ? [] : [`since ${clockTime(link.at)}`]),
    ...(link.until === undefined ? [] : [`until ${clockTime(link.until)}, ${until(link.until, now)}`]),
  ];
  return facts.length === 0 ? link.statement : `${link.statement} ${paint('dim', `(${facts.join('; ')})`)}`;
}
