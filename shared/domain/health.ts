import type { HostContact } from './contact.ts';
import type { UnitFailures } from './fleet.ts';

export interface Wellness {
  readonly unhealthy: boolean;
  /** For people; empty when it is well. */
  readonly why: string;
}

/**
 * What later probes say of a host that was confirmed: is it still well? A host that does not answer is away, not
 * unwell. `units`: which failed units count.
 */
export function isUnhealthy(contact: HostContact | undefined, units: UnitFailures = 'new'): Wellness {
  if (contact?.kind !== 'reached') return { unhealthy: false, why: '' };
  const why = [
    ...contact.checks.flatMap(({ name, healthy, message }) => (healthy ? [] : [message ?? `${name} fails`])),
    ...troubledUnits(contact, units).map((unit) => `${unit} failed or keeps restarting`),
  ];
  return { unhealthy: why.length > 0, why: why.join('; ') };
}

function troubledUnits(
  { report }: Extract<HostContact, { readonly kind: 'reached' }>,
  units: UnitFailures,
): readonly string[] {
  switch (units) {
    case 'new':
      return report.newlyFailed;
    case 'any':
      return [...new Set([...report.failedUnits, ...report.restarting])];
    case 'ignore':
      return [];
  }
}
