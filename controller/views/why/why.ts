import { axesOf } from '../../../shared/domain/axes.ts';
import { partsText, untidied } from '../../../shared/domain/contact.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import type { Why, WhyLink } from '../../../shared/contracts/api.ts';
import type { ViewContext } from '../context.ts';
import { noSuchHost } from '../names.ts';
import { saidAround } from '../people.ts';
import { testingLinks } from '../testing.ts';
import { adviceOn } from './advice.ts';
import { saidLinks } from './said.ts';
import { sinceOf } from './since.ts';
import { deploymentOf, waitingLinks, waitsForText } from './waiting.ts';

/** The chain of reasons that leads to a host's verdict, the deepest cause last. @throws FleetError NOT_FOUND */
export function why(context: ViewContext, host: HostName): Why {
  const verdict = context.last?.verdicts.find((each) => each.host === host);
  if (verdict === undefined) throw noSuchHost(context, host);
  const remembered = context.memory.hosts.get(host);
  const contact = context.last?.snapshot.contacts.get(host);
  const since = sinceOf(context, verdict);
  return {
    host,
    ...axesOf(verdict, contact, remembered),
    verdict: verdict.kind,
    reason: verdict.reason,
    waitsFor: waitsForText(context, verdict),
    since,
    until: verdict.until,
    ...saidAround(context, host),
    chain: [
      {
        statement: verdict.reason,
        at: since,
        until: verdict.until,
        deployment: verdict.deployment,
      },
      ...saidLinks(context, host),
      ...testingLinks(context, host),
      ...waitingLinks(context, verdict),
      ...hostLinks(context, host),
      ...sourceLinks(context),
    ],
    advice: adviceOn(context, verdict),
  };
}

/** What is known of the host itself: contact, failures, what it was confirmed on. */
function hostLinks(context: ViewContext, host: HostName): readonly WhyLink[] {
  const { last, memory } = context;
  const remembered = memory.hosts.get(host);
  const contact = last?.snapshot.contacts.get(host);
  const links: WhyLink[] = [];
  if (contact?.kind === 'unreachable') {
    links.push({
      statement: `${contact.attempts} probes in a row failed: ${contact.failure.message}`,
      at: contact.since,
    });
  }
  if (contact?.kind === 'reached' && contact.report.rebootNeeded.length > 0) {
    const parts = partsText(contact.report.rebootNeeded);
    links.push({ statement: `a reboot is needed for ${parts}`, at: contact.at });
  }
  const undone = contact?.kind === 'reached' ? untidied(contact.report) : undefined;
  if (undone !== undefined) {
    links.push({ statement: `old profile generations were to go: ${undone}`, at: contact?.at });
  }
  const known = [remembered?.failed, remembered?.failedApart].filter((failed) => failed !== undefined);
  for (const failed of known) {
    const { failure, at } = failed;
    links.push({
      statement: `${failure.code}: ${failure.message}`,
      at,
      deployment: deploymentOf(failed, context, host),
    });
  }
  if (known.length === 0 && remembered?.setback !== undefined) {
    const { failure, at, count } = remembered.setback;
    links.push({ statement: `${failure.code}: ${failure.message} (${count} in a row)`, at });
  }
  if (remembered?.confirmed !== undefined) {
    const { toplevel, observation, at, awaitingReboot } = remembered.confirmed;
    links.push({
      statement: awaitingReboot
        ? `${toplevel} of observation ${observation} is set for its next boot`
        : `it was last confirmed on ${toplevel}, by observation ${observation}`,
      at,
    });
  }
  return links;
}

function sourceLinks({ memory, source }: ViewContext): readonly WhyLink[] {
  const newest = memory.observations.at(-1);
  return [
    ...(newest === undefined
      ? []
      : [
          {
            statement: `observation ${newest.n}: ${newest.subject} (${newest.author})`,
            at: newest.at,
            revision: newest.revision,
          },
        ]),
    ...(source.kind === 'failing'
      ? [{ statement: `the repository cannot be read: ${source.failure.message}`, at: source.since }]
      : []),
  ];
}
