import type { HostContact } from '../../../shared/domain/contact.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import { compareTokens, type Token } from '../../../shared/domain/token.ts';

/** No real Varve reaches this many epochs: a host that says so is broken or lying, and must not use them up. */
const furthestEpochs = 1_000_000;

/** A host that has seen a token above this leadership's own. */
export interface HostAhead {
  readonly host: HostName;
  readonly token: Token;
}

/**
 * The host whose token the next leadership has to be above, if any. Pure. A host is believed in this at most once an hour:
 * otherwise one host could end every leadership. What is not believed concerns that host alone: it refuses what it is
 * sent.
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
