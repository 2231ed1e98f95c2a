import { assertNever } from '../../shared/domain/assert-never.ts';
import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import { scopeText } from '../../shared/domain/policy.ts';
import { rolloutText } from '../../shared/domain/rollout-text.ts';

/** A commit's message must stay readable: a pass over a large fleet has thousands of facts. */
const longestSubject = 100;
const namedInSubject = 4;
const linesInBody = 50;
const longestLine = 160;

/** The first line of a commit: what these facts say, in short. */
export function subjectOf(facts: readonly Fact[]): string {
  const groups = new Map<string, string[]>();
  for (const fact of facts) {
    const { what, who } = inShort(fact);
    const names = groups.get(what) ?? [];
    if (who !== undefined) names.push(who);
    groups.set(what, names);
  }
  const parts = [...groups].map(([what, names]) =>
    names.length === 0 ? what : `${what} (${listed(names)})`,
  );
  return cut(parts.join('; '), longestSubject);
}

/** The lines below: one for each fact, up to a bound. */
export function bodyOf(facts: readonly Fact[]): string {
  const lines = facts.slice(0, linesInBody).map((fact) => cut(inFull(fact), longestLine));
  if (facts.length > linesInBody) lines.push(`… and ${facts.length - linesInBody} more`);
  return lines.join('\n');
}

interface Short {
  readonly what: string;
  /** Facts that say the same of several hosts are joined. */
  readonly who?: string;
}

function inShort(fact: Fact): Short {
  switch (fact.kind) {
    case 'genesis':
      return { what: 'a new ledger' };
    case 'epoch':
      return { what: `epoch ${fact.epoch}` };
    case 'observation':
      return { what: `observation ${fact.observation.n} at ${fact.observation.revision.slice(0, 7)}` };
    case 'release':
      return { what: `release of ${fact.release.tree.slice(0, 7)}`, who: hostsOf(fact.release.hosts.keys()) };
    case 'evaluation-failed':
      return { what: `evaluation of ${fact.tree.slice(0, 7)} failed` };
    case 'adopted':
      return { what: 'adopted', who: fact.host };
    case 'adopt-asked':
      return { what: 'adopt', who: fact.host };
    case 'intent':
      return { what: `${fact.aim.action} observation ${fact.aim.observation}`, who: fact.aim.host };
    case 'outcome':
      return { what: `observation ${fact.aim.observation} ${fact.phase}`, who: fact.aim.host };
    case 'hold':
      return { what: 'hold', who: scopeText(fact.scope) };
    case 'hold-lifted':
      return { what: 'hold lifted', who: scopeText(fact.scope) };
    case 'suspended':
      return { what: 'everything suspended' };
    case 'resumed':
      return { what: 'everything resumed' };
    case 'override':
      return { what: 'windows overridden', who: scopeText(fact.scope) };
    case 'approved':
      return { what: `observation ${fact.observation} approved for ${fact.gate.kind} ${fact.gate.name}` };
    case 'rollout':
      return { what: rolloutText(fact) };
    case 'pin':
      return { what: `back to observation ${fact.to.observation}`, who: fact.host };
    case 'testing':
      return { what: testingText(fact), who: fact.host };
    case 'retry':
      return { what: 'retry', who: fact.host ?? 'the whole fleet' };
    default:
      return assertNever(fact);
  }
}

function inFull(fact: Fact): string {
  switch (fact.kind) {
    case 'genesis':
      return `the ledger of the Varve with owner ${fact.owner}`;
    case 'epoch':
      return `epoch ${fact.epoch} begins, led by ${fact.leader}`;
    case 'observation': {
      const { n, revision, forced, author, subject } = fact.observation;
      return `observation ${n}: ${revision}${forced ? ' (forced)' : ''} "${subject}" by ${author}`;
    }
    case 'release':
      return `release ${fact.release.key}: ${fact.release.hosts.size} hosts in ${seconds(fact.durationMs)}`;
    case 'evaluation-failed':
      return `evaluation of ${fact.tree} failed: ${fact.failure.code}: ${fact.failure.message}`;
    case 'adopted':
      return `${fact.host} adopted by ${fact.by}${fact.takeover ? ' from another owner' : ''}`;
    case 'adopt-asked':
      return `${fact.by} asks to adopt ${fact.host}${fact.takeover ? ' even from another owner' : ''}`;
    case 'intent':
      return `${fact.aim.host}: ${fact.aim.action} ${fact.aim.toplevel} as ${fact.aim.deployment}: ${fact.reason}`;
    case 'outcome': {
      const failure = fact.failure === undefined ? '' : `: ${fact.failure.code}: ${fact.failure.message}`;
      return `${fact.aim.host}: ${fact.aim.deployment} ${fact.phase}${failure}`;
    }
    case 'hold':
      return `${scopeText(fact.scope)} held by ${fact.by}: ${fact.reason}`;
    case 'hold-lifted':
      return `${scopeText(fact.scope)} no longer held, says ${fact.by}`;
    case 'suspended':
      return `everything suspended by ${fact.by}: ${fact.reason}`;
    case 'resumed':
      return `everything resumed by ${fact.by}`;
    case 'override':
      return `windows of ${scopeText(fact.scope)} overridden by ${fact.by}: ${fact.reason}`;
    case 'approved':
      return `observation ${fact.observation} approved for ${fact.gate.kind} ${fact.gate.name} by ${fact.by}`;
    case 'rollout':
      return rolloutText(fact);
    case 'pin':
      return `${fact.host}: back to ${fact.to.toplevel} by ${fact.by}: ${fact.reason}`;
    case 'testing':
      return `${fact.host}: ${testingText(fact)}${fact.branch === undefined ? '' : ` "${fact.branch.subject}" by ${fact.branch.author}`}`;
    case 'retry':
      return `${fact.by} asks to forget remembered failures of ${fact.host ?? 'the whole fleet'}`;
    default:
      return assertNever(fact);
  }
}

function testingText({ branch }: FactOf<'testing'>): string {
  if (branch === undefined) return 'testing branch gone';
  const what = `testing branch at ${branch.revision.slice(0, 7)}`;
  return branch.ignored === undefined ? what : `${what} ignored: ${branch.ignored}`;
}

function hostsOf(names: Iterable<string>): string {
  return listed([...names]);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, namedInSubject).join(', ');
  return names.length > namedInSubject ? `${shown} and ${names.length - namedInSubject} more` : shown;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** One line of at most `limit` characters: subjects and reasons are other people's text. */
function cut(text: string, limit: number): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  const characters = Array.from(line);
  return characters.length <= limit ? line : `${characters.slice(0, limit - 1).join('')}…`;
}
