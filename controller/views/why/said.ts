import type { WhyLink } from '../../../shared/contracts/api.ts';
import { pinAt, overridesAt } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import { scopeText } from '../../../shared/domain/policy.ts';
import { holdOf, memberAt, type ViewContext } from '../context.ts';

/** What people have said that concerns a host: the suspension of everything, holds, roll backs, overrides. */
export function saidLinks(context: ViewContext, host: HostName): readonly WhyLink[] {
  const { memory, at: now } = context;
  const links: WhyLink[] = [];
  if (memory.suspended !== undefined) {
    const { by, reason, at } = memory.suspended;
    links.push({ statement: `${by} has suspended everything: ${reason}`, at });
  }
  const hold = holdOf(context, host);
  if (hold !== undefined) {
    const { by, reason, at, until, scope } = hold;
    const what = scope.kind === 'host' ? 'it' : scopeText(scope);
    links.push({ statement: `${by} holds ${what}: ${reason}`, at, until });
  }
  const pin = pinAt(memory.hosts.get(host), now);
  if (pin !== undefined) {
    const { by, reason, at, to, cause } = pin;
    const who = cause === 'person' ? by : 'the failure of its wave';
    links.push({
      statement: `${who} takes it back to generation ${to.observation} (${to.toplevel}): ${reason}`,
      at,
    });
  }
  for (const { by, reason, at, until, scope } of overridesAt(memory, memberAt(context, host), now)) {
    links.push({
      statement: `${by} lets windows and freezes of ${scopeText(scope)} not count: ${reason}`,
      at,
      until,
    });
  }
  return links;
}
