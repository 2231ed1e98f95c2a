import { isHostName, parseRevision, type HostName, type Revision } from '../../shared/domain/names.ts';
import { testedName } from '../../shared/domain/testing.ts';
import type { RemoteHeads } from './remote.ts';

/**
 * What of a listing is followed. Both ways of listing let longer or other names through: only the very ref counts, and
 * names that a host can have.
 */
export function listedHeads(
  refs: Iterable<readonly [name: string, revision: string]>,
  tracked: string,
): RemoteHeads | undefined {
  let head: Revision | undefined;
  const testing = new Map<HostName, Revision>();
  for (const [name, revision] of refs) {
    if (name === tracked) head = parseRevision(revision);
    else {
      const host = testedName(name);
      if (host !== undefined && isHostName(host)) testing.set(host, parseRevision(revision));
    }
  }
  return head === undefined ? undefined : { tracked: head, testing };
}
