import type { HostContact } from '../../shared/domain/contact.ts';
import type { Deployment } from '../../shared/domain/deployment.ts';
import type { HostName } from '../../shared/domain/names.ts';
import type { DeploymentStore, EvaluationState, Term } from '../../shared/platform/ports/deployment-store.ts';
import type { JobQueue } from '../../shared/platform/ports/job-queue.ts';

/** What one pass reads. */
export interface Snapshot {
  readonly pending: ReadonlySet<string>;
  readonly deployments: readonly Deployment[];
  /** Of the present incarnation only. */
  readonly contacts: ReadonlyMap<HostName, HostContact>;
  readonly evaluations: readonly EvaluationState[];
}

/** Reads the live state; `undefined` if the store lives another life by now: stop leading. */
export async function observe(
  store: DeploymentStore,
  queue: Pick<JobQueue, 'pending'>,
  term: Term,
  outages: Outages,
): Promise<Snapshot | undefined> {
  // The queue before the store: a job that is gone from the first has left its mark in the second.
  const pending = await queue.pending();
  const [deployments, contacts, evaluations] = await Promise.all([
    store.list(),
    store.contacts(),
    store.evaluations(),
  ]);
  // The term last: had it changed before, what was read could belong to either life.
  const present = await store.term();
  if (present === undefined || present.incarnation !== term.incarnation) return undefined;
  const known = new Map<HostName, HostContact>();
  for (const contact of contacts) {
    if (contact.incarnation === term.incarnation) known.set(contact.host, outages.count(contact));
  }
  return { pending, deployments, contacts: known, evaluations };
}

/** A single probe knows only that it failed; how often in a row, and since when, is counted here. */
export interface Outages {
  count(contact: HostContact): HostContact;
}

export function createOutages(): Outages {
  const outages = new Map<HostName, { since: number; attempts: number; askedAt: number }>();
  return {
    count(contact) {
      if (contact.kind === 'reached') {
        outages.delete(contact.host);
        return contact;
      }
      const before = outages.get(contact.host);
      const now =
        before === undefined
          ? { since: contact.askedAt, attempts: 1, askedAt: contact.askedAt }
          : before.askedAt === contact.askedAt
            ? before
            : { since: before.since, attempts: before.attempts + 1, askedAt: contact.askedAt };
      outages.set(contact.host, now);
      return { ...contact, since: now.since, attempts: now.attempts };
    },
  };
}
