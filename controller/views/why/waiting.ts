import type { WaveView } from '../../../shared/contracts/api-common.ts';
import type { WhyLink } from '../../../shared/contracts/api.ts';
import type { HostSpec } from '../../../shared/domain/fleet.ts';
import { pinAt, type Failed } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import { isIn, scopeText } from '../../../shared/domain/policy.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import { isInFlight, isUnavailable, type Rolling } from '../../reconcile/plan/standing.ts';
import { holdOf, type ViewContext } from '../context.ts';
import { closedGates } from '../gates.ts';
import { judgedFleet } from '../names.ts';
import { rollingHosts, rolloutOf } from '../rollout.ts';
import { hostsInTheWay, inTheWayLinks, mostNamed, specOf } from './hosts-in-the-way.ts';

/** What a host waits for, by its name: `wave canary`, `approval of wave all`, `router1`. */
export function waitsForText(context: ViewContext, verdict: Verdict): string | undefined {
  const { waitsFor, host } = verdict;
  switch (waitsFor) {
    case 'wave':
      return named('wave', waveInTheWay(context, host)?.name);
    case 'soak':
      return named('the soak time of wave', waveInTheWay(context, host)?.name);
    case 'approval': {
      const gates = closedGates(context, host).map(({ kind, name }) => `${kind} ${name}`);
      return gates.length === 0 ? waitsFor : `approval of ${gates.join(' and ')}`;
    }
    case 'dependency':
      return listed(hostsInTheWay(context, host).map((each) => each.verdict.host)) || waitsFor;
    case 'person': {
      const hold = verdict.kind === 'held' ? holdOf(context, host) : undefined;
      // Whoever was rolled back gets there although everything is suspended: then it is the hold that keeps it.
      const suspended = verdict.kind === 'held' && context.memory.suspended !== undefined;
      if (suspended && pinAt(context.memory.hosts.get(host), context.at)?.cause !== 'person')
        return '`varve resume`';
      if (hold === undefined) return 'a person';
      return hold.scope.kind === 'host'
        ? 'the end of its hold'
        : `the end of the hold of ${scopeText(hold.scope)}`;
    }
    default:
      return waitsFor;
  }
}

/** The chain behind what a host waits for: which wave, budget, window or host stands in the way, and why that is so. */
export function waitingLinks(context: ViewContext, verdict: Verdict): readonly WhyLink[] {
  const spec = specOf(context, verdict.host);
  if (spec === undefined) return [];
  switch (verdict.waitsFor) {
    case 'wave':
    case 'soak':
      return waveLinks(context, spec);
    case 'approval':
      return closedGates(context, spec.name).map(({ kind, name, observation }) => ({
        statement: `${kind} ${name} takes a person's approval of observation ${observation}: \`varve approve ${name}\``,
        at: judgedAt(context),
      }));
    case 'budget':
      return budgetLinks(context, spec);
    case 'dependency':
      return inTheWayLinks(context, spec.name);
    case 'window':
      return windowLinks(context, spec);
    default:
      return verdict.code === 'ROLLOUT_HALTED' || verdict.code === 'ROLLED_BACK_WITH_WAVE'
        ? failedLinks(context)
        : [];
  }
}

/** The wave that has to pass before that of a host may begin. */
export function waveInTheWay(context: ViewContext, host: HostName): WaveView | undefined {
  const waves = rolloutOf(context)?.waves ?? [];
  const own = waves.findIndex(({ name }) => name === specOf(context, host)?.wave);
  return waves.slice(0, Math.max(own, 0)).find(({ state }) => state !== 'passed');
}

/** Hosts of a wave that do not have the release yet, those that will not by themselves first. */
export function lateHosts(context: ViewContext, wave: string): readonly Verdict[] {
  const late = rollingHosts(context)
    .filter(({ view, standing }) => view.spec.wave === wave && standing.kind !== 'done')
    .toSorted((a, b) => Number(b.standing.kind === 'failed') - Number(a.standing.kind === 'failed'));
  const verdicts = new Map((context.last?.verdicts ?? []).map((verdict) => [verdict.host, verdict]));
  return late.flatMap(({ view }) => verdicts.get(view.host) ?? []);
}

function waveLinks(context: ViewContext, spec: HostSpec): readonly WhyLink[] {
  const rollout = rolloutOf(context);
  const blocking = waveInTheWay(context, spec.name);
  if (rollout === undefined) return [];
  const place = rollout.waves.findIndex(({ name }) => name === spec.wave) + 1;
  const links: WhyLink[] = [
    {
      statement: `it is in wave ${spec.wave}, number ${place} of ${rollout.waves.length} of the rollout of observation ${rollout.observation}`,
      at: rollout.since,
    },
  ];
  if (blocking === undefined) return links;
  const { name, state, done, total, until, reason } = blocking;
  links.push({
    statement: `wave ${name} comes before it (${state}, ${done} of ${total} hosts done): ${reason}`,
    until,
  });
  for (const late of lateHosts(context, name).slice(0, mostNamed)) {
    links.push({
      statement: `${late.host} of wave ${name}: ${late.kind}: ${late.reason}`,
      until: late.until,
    });
  }
  const closed = lateHosts(context, name)
    .filter(({ waitsFor }) => waitsFor === 'approval')
    .slice(0, mostNamed)
    .flatMap(({ host }) => closedGates(context, host));
  const statements = closed.map(
    (gate) => `${gate.kind} ${gate.name} takes a person's approval: \`varve approve ${gate.name}\``,
  );
  for (const statement of new Set(statements)) links.push({ statement });
  return links;
}

/** The deployment that failed there, which need not be the last: the host may have gone back since. */
export function deploymentOf(
  failed: Failed | undefined,
  { memory }: ViewContext,
  host: HostName,
): string | undefined {
  if (failed === undefined) return memory.hosts.get(host)?.lastOutcome?.aim.deployment;
  return memory.outcomes.findLast(({ aim, at }) => aim.host === host && at === failed.at)?.aim.deployment;
}

/** Why a release goes no further: the wave that failed, and the hosts that it failed on. */
function failedLinks(context: ViewContext): readonly WhyLink[] {
  const failed = rolloutOf(context)?.waves.find(({ state }) => state === 'failed');
  if (failed === undefined) return [];
  const hosts = rollingHosts(context).flatMap(({ view, standing }) =>
    view.spec.wave === failed.name && standing.kind === 'failed'
      ? [
          {
            statement: `${view.host} of wave ${failed.name}: ${standing.why}`,
            at: view.remembered?.failed?.at,
            deployment: deploymentOf(view.remembered?.failed, context, view.host),
          },
        ]
      : [],
  );
  return [
    { statement: `wave ${failed.name} failed: ${failed.reason}`, at: failedAt(context, failed.name) },
    ...hosts.slice(0, mostNamed),
  ];
}

/** Before the ledger has it, or where its rollout was one of before and long ago, nobody knows. */
function failedAt({ memory }: ViewContext, wave: string): number | undefined {
  return memory.acts.findLast(
    (act) =>
      act.kind === 'rollout' &&
      act.observation === memory.rollout?.observation &&
      act.change.kind === 'wave-failed' &&
      act.change.wave === wave,
  )?.at;
}

/** The hosts that use up a budget that a host is under. Which one, and how large it is, is the verdict's reason. */
function budgetLinks(context: ViewContext, spec: HostSpec): readonly WhyLink[] {
  const fleet = judgedFleet(context);
  const ofFleet = fleet?.rollout.maxUnavailable !== undefined;
  const ofWave = fleet?.rollout.waves.find(({ name }) => name === spec.wave)?.maxUnavailable !== undefined;
  const groups = (fleet?.groups ?? []).filter(
    ({ name, maxUnavailable }) => maxUnavailable !== undefined && spec.groups.includes(name),
  );
  return rollingHosts(context)
    .filter(
      ({ view }) =>
        view.host !== spec.name &&
        (ofFleet ||
          (ofWave && view.spec.wave === spec.wave) ||
          groups.some(({ name }) => view.spec.groups.includes(name))),
    )
    .flatMap((host) => awayLink(context, host) ?? [])
    .slice(0, mostNamed);
}

function awayLink(context: ViewContext, rolling: Rolling): WhyLink | undefined {
  const { view, standing } = rolling;
  const { host, live, contact, remembered } = view;
  if (isInFlight(view)) {
    return {
      statement: `${host} is ${live?.phase ?? 'being activated'}`,
      at: live?.phaseAt,
      deployment: live?.id,
    };
  }
  const { rollout } = context.memory;
  const began = rolloutOf(context)?.since !== undefined;
  if (!isUnavailable(rolling, began ? rollout : undefined)) return undefined;
  if (remembered?.stuck !== undefined)
    return { statement: `${host} is stuck`, at: remembered.lastOutcome?.at };
  if (standing.kind === 'failed') return { statement: `${host}: ${standing.why}` };
  return contact?.kind === 'unreachable'
    ? { statement: `${host} is unreachable`, at: contact.since }
    : { statement: `${host} has not been asked yet` };
}

function windowLinks(context: ViewContext, spec: HostSpec): readonly WhyLink[] {
  const freezes = (judgedFleet(context)?.freezes ?? []).filter(
    ({ from, until, scope }) => from <= context.at && context.at < until && isIn(scope, spec),
  );
  return [
    ...freezes.map(({ author, reason, from, until, scope }) => ({
      statement: `${author} has frozen ${scopeText(scope)}: ${reason}`,
      at: from,
      until,
    })),
    ...spec.windows.map(({ kind, schedule, durationMs, timeZone }) => ({
      statement: `its windows: ${kind} from \`${schedule}\` for ${minutes(durationMs)}, ${timeZone}`,
    })),
  ];
}

function minutes(ms: number): string {
  const count = Math.round(ms / 60_000);
  return count % 60 === 0 ? `${count / 60} h` : `${count} min`;
}

function judgedAt({ last }: ViewContext): number | undefined {
  return last === undefined || last.desired.kind === 'unknown' ? undefined : last.desired.observation.at;
}

function listed(texts: readonly string[]): string {
  const more = texts.length - mostNamed;
  return texts.slice(0, mostNamed).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function named(what: string, name: string | undefined): string {
  return name === undefined ? what : `${what} ${name}`;
}
