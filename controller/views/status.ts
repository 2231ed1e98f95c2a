import { axesOf } from '../../shared/domain/axes.ts';
import { untidied, type HostContact, type ProbeReport } from '../../shared/domain/contact.ts';
import type { Deployment } from '../../shared/domain/deployment.ts';
import { hostsOf } from '../../shared/domain/desired.ts';
import { connectionText } from '../../shared/domain/fleet.ts';
import type { Failure } from '../../shared/domain/errors.ts';
import {
  failureAgainst,
  observationOf,
  type Confirmed,
  type HostMemory,
} from '../../shared/domain/memory.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';
import type {
  DriftView,
  HostStatus,
  LiveDeployment,
  PlanView,
  ReleaseView,
} from '../../shared/contracts/api.ts';
import { targetOf } from '../reconcile/plan/target.ts';
import { judgedObservation, liveDeployments, type ViewContext } from './context.ts';
import { saidOf, suspensionOf } from './people.ts';
import { testingOf } from './testing.ts';

/** One line a host, in the order of the plan. */
export function hostStatuses(context: ViewContext): HostStatus[] {
  return (context.last?.verdicts ?? []).map((verdict) => hostStatus(context, verdict));
}

export function hostStatus(context: ViewContext, verdict: Verdict): HostStatus {
  const { host } = verdict;
  const { contact, remembered, live } = about(context, host);
  const spec = context.last === undefined ? undefined : hostsOf(context.last.desired).get(host);
  const connection =
    (contact?.kind === 'reached' ? contact.connection : undefined) ??
    spec?.connection ??
    remembered?.confirmed?.connection;
  const confirmed = remembered?.confirmed;
  return {
    host,
    labels: spec?.labels ?? {},
    wave: spec?.wave,
    groups: spec?.groups ?? [],
    address: connection === undefined ? '' : connectionText(connection),
    ...axesOf(verdict, contact, remembered),
    verdict: verdict.kind,
    reason: verdict.reason,
    waitsFor: verdict.waitsFor,
    until: verdict.until,
    failure: failureBehind(context, verdict),
    ...saidOf(context, host),
    ...(contact?.kind === 'reached'
      ? {
          current: contact.report.current,
          drift: driftView(verdict, contact.report),
          profileGeneration: contact.report.profileGeneration,
          rebootNeeded: contact.report.rebootNeeded,
          failedUnits: contact.report.failedUnits,
          failedChecks: contact.checks.flatMap(({ name, healthy, message }) =>
            healthy ? [] : [message ?? `${name} fails`],
          ),
          locked: contact.report.locked,
          freeBytes: contact.report.freeBytes,
          nixVersion: contact.report.nixVersion,
          lastContactAt: contact.at,
        }
      : contact === undefined
        ? {}
        : { unreachableSince: contact.since }),
    probeAskedAt: contact?.askedAt,
    desired: verdict.toplevel ?? remembered?.desired,
    revision: revisionOf(context, confirmed),
    testing: testingOf(context, host),
    observation: confirmed?.observation,
    confirmedAt: confirmed?.at,
    deployment: live === undefined ? undefined : liveDeployment(context, live),
  };
}

/** What was found of a drift counts as long as the verdict is that there is one. */
function driftView({ code }: Verdict, { drift }: ProbeReport): DriftView | undefined {
  if (code !== 'DRIFTED' || drift === undefined) return undefined;
  const { kind, generation, at, sightings } = drift;
  return { kind, profileGeneration: generation, at, sightings };
}

function about(
  context: ViewContext,
  host: HostName,
): {
  readonly contact: HostContact | undefined;
  readonly remembered: HostMemory | undefined;
  readonly live: Deployment | undefined;
} {
  return {
    contact: context.last?.snapshot.contacts.get(host),
    remembered: context.memory.hosts.get(host),
    live: context.last === undefined ? undefined : liveDeployments(context.last).get(host),
  };
}

/** The failure that a verdict is about, with its hint where there is one. */
export function failureBehind(context: ViewContext, verdict: Verdict): Failure | undefined {
  const { contact, remembered } = about(context, verdict.host);
  const desired = context.last?.desired;
  if (verdict.kind === 'unreachable' && contact?.kind === 'unreachable') return contact.failure;
  if (verdict.kind === 'in-sync') return untidiedFailure(contact);
  if (verdict.code === undefined) return undefined;
  const candidates = [
    desired?.kind === 'blocked' ? desired.failure : undefined,
    desired?.kind === 'evaluating' ? desired.setback?.failure : undefined,
    remembered && failureAgainst(remembered, verdict.toplevel)?.failure,
    failedBuild(context, verdict),
    fits(remembered?.setback?.toplevel) ? remembered?.setback?.failure : undefined,
    fits(remembered?.lastOutcome?.aim.toplevel) ? remembered?.lastOutcome?.failure : undefined,
  ];
  const remembers = candidates.find((failure) => failure?.code === verdict.code);
  if (remembers !== undefined || verdict.kind !== 'stalled') return remembers;
  // Nothing was tried: another Varve owns the host, or it has drifted.
  return { code: verdict.code, disposition: 'stalled', message: verdict.reason };

  /** Of another system it may have the same code, and another message. */
  function fits(toplevel: StorePath | undefined): boolean {
    return verdict.toplevel === undefined || toplevel === verdict.toplevel;
  }
}

/** The build of what is wanted there failed, for whichever host it was made. */
function failedBuild({ last, memory, at }: ViewContext, { host, toplevel }: Verdict): Failure | undefined {
  const target = last && targetOf(host, last.desired, memory.hosts.get(host), at);
  if (target?.drvPath === undefined || target.toplevel !== toplevel) return undefined;
  return memory.failedBuilds.get(target.drvPath);
}

/** Nothing to keep a host from what is wanted, but somebody should know that it could not be tidied. */
function untidiedFailure(contact: HostContact | undefined): Failure | undefined {
  const why = contact?.kind === 'reached' ? untidied(contact.report) : undefined;
  if (why === undefined) return undefined;
  return {
    code: 'BOOTLOADER_FAILED',
    disposition: 'waiting',
    message: `old profile generations were to go: ${why}`,
    hint: 'it is tried again; `journalctl -u varve-tidy` on the host has the output',
  };
}

function liveDeployment(context: ViewContext, live: Deployment): LiveDeployment {
  const activity = context.activity(live.id);
  return {
    id: live.id,
    phase: live.phase,
    action: live.action,
    observation: live.observation,
    revision: live.revision,
    createdAt: live.createdAt,
    phaseAt: live.phaseAt,
    progress: activity?.progress,
    activity: activity?.line,
  };
}

/** What is tested has a revision of its own, which its observation does not know. */
function revisionOf({ memory }: ViewContext, confirmed: Confirmed | undefined): string | undefined {
  if (confirmed === undefined) return undefined;
  const { deployment, observation } = confirmed;
  const aim = deployment === undefined ? undefined : memory.outcomeOf.get(deployment)?.aim;
  return aim?.revision ?? observationOf(memory, observation)?.revision;
}

/** How far the evaluation of an observation's tree is. */
export function releaseView(context: ViewContext, n: number | undefined): ReleaseView {
  const key = n === undefined ? undefined : context.memory.keys.get(n);
  if (key === undefined) {
    const desired = context.last?.desired;
    return desired?.kind === 'blocked' && desired.observation.n === n
      ? { state: 'failed', failure: desired.failure }
      : { state: 'none' };
  }
  if (context.memory.releases.has(key)) {
    return { state: 'complete', durationMs: context.memory.evaluationMs.get(key) };
  }
  const failure = context.memory.failedEvaluations.get(key);
  return failure === undefined ? { state: 'evaluating' } : { state: 'failed', failure };
}

export function planView(context: ViewContext): PlanView {
  return {
    at: context.last?.at ?? context.at,
    observation: judgedObservation(context),
    suspended: suspensionOf(context),
    requeueAt: context.last?.requeueAt,
    verdicts: (context.last?.verdicts ?? []).map((verdict) => {
      const contact = context.last?.snapshot.contacts.get(verdict.host);
      return {
        host: verdict.host,
        verdict: verdict.kind,
        reason: verdict.reason,
        waitsFor: verdict.waitsFor,
        until: verdict.until,
        from: contact?.kind === 'reached' ? contact.report.current : undefined,
        to: verdict.toplevel,
        ...saidOf(context, verdict.host),
      };
    }),
  };
}
