import { failureAgainst, pinAt } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import { holdOf, judgedObservation, liveDeployments, type ViewContext } from '../context.ts';
import { rollingHosts, rolloutOf } from '../rollout.ts';
import { specOf } from './hosts-in-the-way.ts';

/** Since when a verdict is what it is; `undefined` where nobody knows. */
export function sinceOf(context: ViewContext, verdict: Verdict): number | undefined {
  const { last, memory } = context;
  const { host, kind, toplevel } = verdict;
  const remembered = memory.hosts.get(host);
  const contact = last?.snapshot.contacts.get(host);
  switch (kind) {
    case 'held': {
      const pin = pinAt(remembered, context.at);
      // Who was rolled back gets there although everything is suspended: then that is not what keeps it.
      return (
        (pin?.cause === 'person' ? pin.at : undefined) ?? memory.suspended?.at ?? holdOf(context, host)?.at
      );
    }
    case 'unreachable':
      return contact?.kind === 'unreachable' ? contact.since : undefined;
    case 'in-sync':
      return remembered?.confirmed?.toplevel === toplevel ? remembered?.confirmed?.at : undefined;
    case 'stalled':
      return stalledSince(context, verdict);
    case 'unmanaged':
      // Whose it was, and until when, only the host could tell.
      return remembered?.adopted === undefined ? namedSince(context, host, true) : undefined;
    case 'orphaned':
      return namedSince(context, host, false);
    case 'wait':
      return waitingSince(context, verdict) ?? phaseSince(context, verdict);
    case 'deliver':
    case 'activate':
    case 'finalise':
      return phaseSince(context, verdict);
    case 'superseded':
    case 'probe':
      return undefined;
  }
}

function phaseSince({ last }: ViewContext, { host, deployment }: Verdict): number | undefined {
  const live = last && liveDeployments(last).get(host);
  return live !== undefined && live.id === deployment ? live.phaseAt : undefined;
}

function waitingSince(context: ViewContext, verdict: Verdict): number | undefined {
  const { memory, source } = context;
  const { confirmed, heals } = memory.hosts.get(verdict.host) ?? {};
  switch (verdict.waitsFor) {
    case 'the source':
      return source.kind === 'failing' ? source.since : undefined;
    case 'evaluation':
      return judgedObservation(context)?.at;
    case 'back-off':
      // It counts from when the host was brought back last.
      return verdict.code === 'DRIFTED' ? heals?.at : setbackAt(context, verdict);
    case 'check':
      return setbackAt(context, verdict);
    case 'reboot':
      return confirmed?.toplevel === verdict.toplevel ? confirmed?.at : undefined;
    default:
      return undefined;
  }
}

function stalledSince(context: ViewContext, verdict: Verdict): number | undefined {
  const { last, memory, at: now } = context;
  const remembered = memory.hosts.get(verdict.host);
  switch (verdict.code) {
    case 'ROLLOUT_HALTED':
      return haltedSince(context, verdict.host);
    case 'ROLLED_BACK_WITH_WAVE':
      return pinAt(remembered, now)?.at;
    case 'DRIFTED': {
      const contact = last?.snapshot.contacts.get(verdict.host);
      if (contact?.kind !== 'reached') return undefined;
      // By the host's clock, which may be ahead of ours.
      return Math.min(contact.report.drift?.at ?? contact.at, contact.at);
    }
    case 'OWNED_BY':
      return undefined;
    default:
      if (last?.desired.kind === 'blocked') return last.desired.observation.at;
      return (
        (remembered && failureAgainst(remembered, verdict.toplevel)?.at) ??
        setbackAt(context, verdict) ??
        lastFailureAt(context, verdict)
      );
  }
}

/** What has not worked of something else says nothing of what is wanted now. */
function setbackAt({ memory }: ViewContext, { host, toplevel }: Verdict): number | undefined {
  const setback = memory.hosts.get(host)?.setback;
  return setback !== undefined && setback.toplevel === toplevel ? setback.at : undefined;
}

/** Of a build that failed there last: who waits for the same one elsewhere is not told when. */
function lastFailureAt({ memory }: ViewContext, { host, toplevel, code }: Verdict): number | undefined {
  const last = memory.hosts.get(host)?.lastOutcome;
  return last?.aim.toplevel === toplevel && last?.failure?.code === code ? last?.at : undefined;
}

/** A release goes no further: since its wave failed, or since what stands before the host in another way does. */
function haltedSince(context: ViewContext, host: HostName): number | undefined {
  const waves = rolloutOf(context)?.waves ?? [];
  const spec = specOf(context, host);
  const failed = waves.findIndex(({ state }) => state === 'failed');
  const own = waves.findIndex(({ name }) => name === spec?.wave);
  if (failed >= 0 && failed <= own) return waveFailedAt(context, waves[failed]?.name);
  const rolling = rollingHosts(context);
  for (const name of spec?.after ?? []) {
    const before = rolling.find(({ view }) => view.host === name);
    if (before?.standing.kind === 'failed') return failedAt(context, name);
  }
  // It comes after one that is halted itself. `after` has no circles.
  const verdicts = context.last?.verdicts ?? [];
  const halted = verdicts.find((each) => spec?.after.includes(each.host) && each.code === 'ROLLOUT_HALTED');
  return halted && haltedSince(context, halted.host);
}

function waveFailedAt(context: ViewContext, wave: string | undefined): number | undefined {
  const { memory } = context;
  const isKnown =
    wave !== undefined && (memory.rollout?.failed.has(wave) === true || memory.halted.has(wave));
  if (isKnown) {
    const told = memory.acts.findLast(
      (act) => act.kind === 'rollout' && act.change.kind === 'wave-failed' && act.change.wave === wave,
    );
    if (told !== undefined) return told.at;
  }
  // Without evidence (its hosts are away) the ledger has nothing of it: the last of them made it fail.
  const times = rollingHosts(context)
    .filter(({ view, standing }) => view.spec.wave === wave && standing.kind === 'failed')
    .map(({ view }) => failedAt(context, view.host));
  return times.every((at) => at !== undefined) && times.length > 0 ? Math.max(...times) : undefined;
}

/** Since when a host speaks against the release. */
function failedAt({ last, memory }: ViewContext, host: HostName): number | undefined {
  const { failed, setback, desired } = memory.hosts.get(host) ?? {};
  if (failed !== undefined && failed.toplevel === desired) return failed.at;
  const contact = last?.snapshot.contacts.get(host);
  if (contact?.kind === 'unreachable') return contact.since;
  return setback !== undefined && setback.toplevel === desired ? setback.at : undefined;
}

/**
 * Since when, by the observations whose hosts are known, the repository has named a host, or has not. That of an
 * observation which nobody evaluated is not known.
 */
function namedSince(context: ViewContext, host: HostName, named: boolean): number | undefined {
  const { observations, keys, releases } = context.memory;
  const judged = judgedObservation(context);
  if (judged === undefined) return undefined;
  let since = judged.at;
  for (let i = observations.length - 1; i >= 0; i -= 1) {
    const observation = observations[i];
    if (observation === undefined || observation.n > judged.n) continue;
    const key = keys.get(observation.n);
    const release = key === undefined ? undefined : releases.get(key);
    if (release === undefined) continue;
    if (release.hosts.has(host) !== named) break;
    since = observation.at;
  }
  return since;
}
