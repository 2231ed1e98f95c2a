import type { HostContact } from '../../shared/domain/contact.ts';
import type { HostName } from '../../shared/domain/names.ts';
import { compareTokens, type Token } from '../../shared/domain/token.ts';

/** No Varve has led so often. A host that says so is damaged or lies, and epochs must never run out for the others. */
const furthestEpochs = 1_000_000;

/** A host that has seen a token above this leadership's own. */
export interface HostAhead {
  readonly host: HostName;
  readonly token: Token;
}

/**
 * The host whose token the next leadership has to be above, if any. Pure. A host is believed in this now and then only:
 * whoever is ahead again of a leadership that was raised above it would end every leadership. What is not believed is
 * that host's own matter: it refuses what it is sent.
 *
 * @param own the last token that this leadership gave out
 * @param believed hosts are asked about only when they are ahead
 */
export function hostAhead(
  contacts: Iterable<HostContact>,
  own: { readonly owner: string | undefined; readonly token: Token },
  believed: (host: HostName) => boolean,
): HostAhead | undefined {
  for (const contact of contacts) {
    if (contact.kind !== 'reached' || contact.report.owner !== own.owner) continue;
    const token = contact.report.highestToken;
    if (token === undefined || compareTokens(token, own.token) <= 0) continue;
    if (token.epoch - own.token.epoch > furthestEpochs || !believed(contact.host)) continue;
    return { host: contact.host, token };
  }
  return undefined;
}
