import { FleetHistory } from '../shared/contracts/api-history.ts';
import { FleetError } from '../shared/domain/errors.ts';
import { type Revision, parseRevision } from '../shared/domain/names.ts';
import type { ApiClient } from './api-client.ts';

/**
 * A revision as people write it: the whole SHA, or its beginning (seven digits or more) where only one observed
 * revision begins so.
 * @throws FleetError INVALID_INPUT, NOT_FOUND
 */
export async function resolveRevision(api: ApiClient, text: string): Promise<Revision> {
  if (!/^[0-9a-f]{7,39}$/.test(text)) return parseRevision(text);
  const history = await api.get('/history?limit=1000', FleetHistory);
  const matches = new Set(
    history.observations
      .map(({ observation }) => observation.revision)
      .filter((revision) => revision.startsWith(text)),
  );
  const [only, second] = matches;
  if (only !== undefined && second === undefined) return parseRevision(only);
  throw new FleetError({
    code: only === undefined ? 'NOT_FOUND' : 'INVALID_INPUT',
    disposition: 'stalled',
    message:
      only === undefined
        ? `no observed revision begins with ${text}`
        : `${matches.size} observed revisions begin with ${text}`,
    hint: only === undefined ? '`varve history` lists the observed revisions' : 'give more digits',
  });
}
