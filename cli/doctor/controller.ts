import type { Status } from '../../shared/contracts/api.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { CommandContext } from '../context.ts';
import { suspensionText } from '../said-line.ts';
import { ago } from '../words.ts';
import { type Finding, firstLine } from './finding.ts';
import { type Fresh, type Patience, freshStatus } from './fresh-probe.ts';
import { hasAnswered, hostFindings, isAsked } from './hosts.ts';

/** What the controller says of itself, of its source, and of every host, which it is made to ask anew. */
export async function controllerFindings(
  context: CommandContext,
  patience: Patience,
): Promise<readonly Finding[]> {
  let fresh: Fresh;
  try {
    fresh = await freshStatus(context, patience);
  } catch (thrown) {
    if (!(thrown instanceof FleetError)) throw thrown;
    return [
      {
        area: 'controller',
        what: context.api.url,
        grade: 'bad',
        found: thrown.message,
        ...(thrown.hint === undefined ? {} : { advice: thrown.hint }),
      },
    ];
  }
  const { status, since } = fresh;
  const now = context.now();
  return [
    {
      area: 'controller',
      what: context.api.url,
      grade: status.leader.kind === 'none' ? 'note' : 'good',
      found: `Varve ${status.version}, ${leaderText(status)}`,
    },
    ...fleetFindings(status, now),
    ...probeFindings(fresh),
    sourceFinding(status, now),
    ...status.hosts.flatMap((host) => hostFindings(host, { now, since })),
  ];
}

/** What is to be known before hosts are looked at one by one. */
function fleetFindings({ leader, notJudged, suspended }: Status, now: number): readonly Finding[] {
  const base = { area: 'controller' as const, what: 'fleet', grade: 'note' as const };
  return [
    ...(notJudged === undefined || leader.kind !== 'self' ? [] : [{ ...base, found: notJudged.message }]),
    ...(suspended === undefined
      ? []
      : [{ ...base, found: suspensionText(suspended, now), advice: 'varve resume' }]),
  ];
}

/** Whether hosts could be asked at all. */
function probeFindings({ status, since, refused }: Fresh): readonly Finding[] {
  const base = { area: 'controller' as const, what: 'probes' };
  if (refused !== undefined) {
    return [
      {
        ...base,
        grade: 'note',
        found: `hosts cannot be asked anew, what follows is what was last known: ${firstLine(refused.message)}`,
        ...(refused.hint === undefined ? {} : { advice: refused.hint }),
      },
    ];
  }
  const asked = status.hosts.filter(isAsked);
  if (since === undefined || asked.length === 0 || asked.some((host) => hasAnswered(host, since))) return [];
  return [
    {
      ...base,
      grade: 'bad',
      found: 'none has come back: no worker is at work',
      advice: 'start one (`varve worker`), with the same Redis; its log says what it misses',
    },
  ];
}

function leaderText({ leader }: Status): string {
  switch (leader.kind) {
    case 'self':
      return 'leading';
    case 'other':
      return `standing by for ${leader.address ?? 'the leader'}`;
    case 'none':
      return 'nobody leads right now';
  }
}

function sourceFinding({ source }: Status, now: number): Finding {
  const seen = source.lastSuccessAt === undefined ? 'never seen' : `seen ${ago(source.lastSuccessAt, now)}`;
  const base = { area: 'source' as const, what: source.repository };
  if (source.failure === undefined) {
    return { ...base, grade: source.state === 'ok' ? 'good' : 'note', found: `${source.ref}, ${seen}` };
  }
  const { code, message, hint } = source.failure;
  return {
    ...base,
    grade: 'bad',
    found: `${code} ${firstLine(message)} (${seen})`,
    ...(hint === undefined ? {} : { advice: hint }),
  };
}
