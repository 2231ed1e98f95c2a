import type { ProbeReport, ProfileGeneration, Retain, Tidied, Tidy } from '../../../shared/domain/contact.ts';
import type { HostSpec } from '../../../shared/domain/fleet.ts';
import { holdAt, type HostMemory, type Memory } from '../../../shared/domain/memory.ts';
import type { StorePath } from '../../../shared/domain/names.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import type { HostView } from './plan-input.ts';

const hourMs = 3_600_000;
/** Between two collections of garbage on one host. */
const dayMs = 24 * hourMs;
/** A boot loader that could not be set is for people to look at: after the first failure, then doubled. */
const firstWaitMs = hourMs / 6;

/** The systems that a host may have to return to, or is to, whatever else goes. Pure. */
export function neededOn(remembered: HostMemory | undefined): readonly StorePath[] {
  const { confirmed, before, lasting, pin } = remembered ?? {};
  const ran = [confirmed, before, lasting?.confirmed, lasting?.before];
  const needed = [...ran.map((known) => known?.toplevel), pin?.to.toplevel];
  return [...new Set(needed.filter((path) => path !== undefined))];
}

/** What a host must not lose, as its probes are told. Pure; `undefined`: it is not known to be ours. */
export function retainOn(
  memory: Memory,
  remembered: HostMemory | undefined,
  spec: HostSpec | undefined,
): Retain | undefined {
  if (memory.owner === undefined || remembered?.adopted === undefined) return undefined;
  return { owner: memory.owner, toplevels: neededOn(remembered), keep: spec?.retention.keep };
}

/**
 * What is to go from a host now, by number. Pure. Nothing goes while anything is under way there, or as long as
 * somebody or something has a word in what it should be: only a host that rests has generations too many.
 */
export function tidyOf(
  view: Pick<HostView, 'spec' | 'remembered' | 'contact'>,
  verdict: Verdict | undefined,
  memory: Memory,
  now: number,
): Tidy | undefined {
  const { spec, remembered, contact } = view;
  if (spec === undefined || remembered === undefined || contact?.kind !== 'reached') return undefined;
  const rests = verdict?.kind === 'in-sync' && verdict.deployment === undefined;
  if (!rests || memory.suspended !== undefined || holdAt(memory, spec, now) !== undefined) return undefined;
  const { report, askedAt } = contact;
  const { profile, profileGeneration: generation, tidied, collectedAgoMs } = report;
  if (isUnsettled(report, remembered, memory) || profile === undefined || generation === undefined) {
    return undefined;
  }
  const since = now - askedAt;
  if (tidied !== undefined && waitsAgain(tidied, since)) return undefined;
  const { keep, collectGarbage } = spec.retention;
  const needed = new Set([...neededOn(remembered), ...present(report)]);
  // A host that only tests or tries what is wanted is in sync as well: the rest of what it has is none of ours.
  const isWhole = report.current === verdict.toplevel && profile === verdict.toplevel;
  const generations = isWhole ? surplus(report.generations, keep, generation, needed) : [];
  const bootMenu = isWhole && (tidied?.failures ?? 0) > 0;
  const collects = collectGarbage && (collectedAgoMs === undefined || collectedAgoMs + since >= dayMs);
  if (generations.length === 0 && !bootMenu && !collects) return undefined;
  return { profile, generation, generations, bootMenu, collectGarbage: collects };
}

/** Its systems are not all one, or how something ended there is not known. */
function isUnsettled(report: ProbeReport, remembered: HostMemory, memory: Memory): boolean {
  const { profile, bootDefault = profile } = report;
  return (
    report.owner !== memory.owner ||
    report.locked ||
    report.records.some((record) => record.end === undefined) ||
    remembered.openIntents.size > 0 ||
    remembered.stuck !== undefined ||
    // The boot menu is written for the profile, so this would change what boots.
    bootDefault !== profile
  );
}

function waitsAgain({ failures, agoMs }: Tidied, since: number): boolean {
  if (failures === 0) return false;
  return agoMs + since < Math.min(firstWaitMs * 2 ** Math.min(failures - 1, 20), dayMs);
}

function present({ current, booted, profile, bootDefault }: ProbeReport): readonly StorePath[] {
  return [current, booted, profile, bootDefault].filter((path) => path !== undefined);
}

/**
 * The numbers that neither belong to the newest `keep` nor are needed. Of several generations with a system that is
 * needed, the newest one is enough; the number that the profile points to stays whatever its system is.
 */
function surplus(
  generations: readonly ProfileGeneration[],
  keep: number,
  profileGeneration: number,
  needed: ReadonlySet<StorePath>,
): readonly number[] {
  const seen = new Set<StorePath>();
  return generations
    .toSorted((a, b) => b.number - a.number)
    .filter(({ number, toplevel }, i) => {
      const first = !seen.has(toplevel);
      seen.add(toplevel);
      return i >= keep && number !== profileGeneration && !(first && needed.has(toplevel));
    })
    .map(({ number }) => number)
    .toSorted((a, b) => a - b);
}
