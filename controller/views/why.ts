import { axesOf } from '../../shared/domain/axes.ts';
import { partsText } from '../../shared/domain/contact.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { HostName } from '../../shared/domain/names.ts';
import type { Why, WhyLink } from '../../shared/contracts/api.ts';
import { holdOf, type ViewContext } from './context.ts';
import { failureBehind } from './status.ts';

/** The chain of reasons that leads to a host's verdict, the deepest cause last. @throws FleetError NOT_FOUND */
export function why(context: ViewContext, host: HostName): Why {
  const verdict = context.last?.verdicts.find((each) => each.host === host);
  if (verdict === undefined) throw noSuchHost(host);
  const remembered = context.memory.hosts.get(host);
  const contact = context.last?.snapshot.contacts.get(host);
  const chain: WhyLink[] = [
    { statement: verdict.reason, until: verdict.until, deployment: verdict.deployment },
  ];
  const hold = holdOf(context, host);
  if (hold !== undefined) {
    const { by, reason, at, until } = hold;
    chain.push({ statement: `${by} holds it: ${reason}`, at, until });
  }
  if (contact?.kind === 'unreachable') {
    chain.push({
      statement: `${contact.attempts} probes in a row failed: ${contact.failure.message}`,
      at: contact.since,
    });
  }
  if (contact?.kind === 'reached' && contact.report.rebootNeeded.length > 0) {
    const parts = partsText(contact.report.rebootNeeded);
    chain.push({ statement: `a reboot is needed for ${parts}`, at: contact.at });
  }
  if (remembered?.failed !== undefined) {
    const { failure, at } = remembered.failed;
    chain.push({
      statement: `${failure.code}: ${failure.message}`,
      at,
      deployment: remembered.lastOutcome?.aim.deployment,
    });
  } else if (remembered?.setback !== undefined) {
    const { failure, at, count } = remembered.setback;
    chain.push({ statement: `${failure.code}: ${failure.message} (${count} in a row)`, at });
  }
  if (remembered?.confirmed !== undefined) {
    const { toplevel, observation, at } = remembered.confirmed;
    chain.push({ statement: `it was last confirmed on ${toplevel}, by observation ${observation}`, at });
  }
  const newest = context.memory.observations.at(-1);
  if (newest !== undefined) {
    chain.push({
      statement: `observation ${newest.n}: ${newest.subject} (${newest.author})`,
      at: newest.at,
      revision: newest.revision,
    });
  }
  if (context.source.kind === 'failing') {
    chain.push({
      statement: `the repository cannot be read: ${context.source.failure.message}`,
      at: context.source.since,
    });
  }
  return {
    host,
    ...axesOf(verdict, contact, remembered),
    verdict: verdict.kind,
    reason: verdict.reason,
    chain,
    advice: failureBehind(context, verdict)?.hint,
  };
}

export function noSuchHost(host: string): FleetError {
  return new FleetError({
    code: 'NOT_FOUND',
    disposition: 'stalled',
    message: `no host is called ${host}`,
    hint: '`varve status` lists the hosts',
  });
}
