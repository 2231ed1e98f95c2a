import type { WhyLink } from '../../../shared/contracts/api.ts';
import { hostsOf, returningBy } from '../../../shared/domain/desired.ts';
import type { HostSpec } from '../../../shared/domain/fleet.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import type { ViewContext } from '../context.ts';
import { rollingHosts } from '../rollout.ts';

/** So many hosts are named where a reason has many. */
export const mostNamed = 5;

/** A host that another one waits for, and why it does. */
export interface InTheWay {
  readonly verdict: Verdict;
  readonly why: string;
}

/** As the newest revision describes a host, or the last good one as long as that cannot be followed. */
export function specOf({ last }: ViewContext, host: HostName): HostSpec | undefined {
  return last && hostsOf(returningBy(last.desired)).get(host);
}

/**
 * The hosts that must be done before a host, and are not: those that it comes `after`, and as those that Varve runs on
 * go last and alone, one of them that is being activated, or all others.
 */
export function hostsInTheWay(context: ViewContext, host: HostName): readonly InTheWay[] {
  const spec = specOf(context, host);
  if (spec === undefined) return [];
  const moving = new Set(
    rollingHosts(context)
      .filter(({ standing }) => standing.kind === 'moving')
      .map(({ view }) => view.host),
  );
  return (context.last?.verdicts ?? []).flatMap((verdict) => {
    const why = verdict.host === host ? undefined : whyFirst(context, spec, verdict, moving);
    return why === undefined ? [] : [{ verdict, why }];
  });
}

function whyFirst(
  context: ViewContext,
  spec: HostSpec,
  { host }: Verdict,
  moving: ReadonlySet<HostName>,
): string | undefined {
  if (spec.after.includes(host) && moving.has(host)) return `it comes after ${host}, which is not there yet`;
  const runsVarve = specOf(context, host)?.runsVarve === true;
  // Its intent is in the ledger: also of one that was let through only now.
  const begun = (context.memory.hosts.get(host)?.openIntents.size ?? 0) > 0;
  if (begun && runsVarve) return `Varve itself runs on ${host}, which is activated alone`;
  if (begun && spec.runsVarve) return `Varve itself runs on it, so it goes alone, and ${host} is under way`;
  if (spec.runsVarve && !runsVarve && moving.has(host)) {
    return `Varve itself runs on it, so it goes last, and ${host} is not there yet`;
  }
  return undefined;
}

export function inTheWayLinks(context: ViewContext, host: HostName): readonly WhyLink[] {
  const all = hostsInTheWay(context, host);
  const more = all.length - mostNamed;
  return [
    ...all.slice(0, mostNamed).map(({ verdict, why }) => ({
      statement: `${why}: ${verdict.kind}: ${verdict.reason}`,
      until: verdict.until,
    })),
    ...(more > 0 ? [{ statement: `it waits for ${more} more` }] : []),
  ];
}
