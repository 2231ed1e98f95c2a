import type { HostName, Revision } from '../../shared/domain/names.ts';

/** What is presented to a remote that asks for it. Never part of a URL, an argument or a file of ours. */
export interface Credential {
  readonly username: string;
  readonly password: string;
}

/** Read anew before each contact, so that a token that was replaced is taken up. */
export type CredentialProvider = () => Promise<Credential | undefined>;

/** How much history a fetch is to bring. */
export type FetchDepth =
  /** What is new since the last fetch; how much the first one brings is the adapter's choice. */
  | { readonly kind: 'new' }
  /** At least so many commits behind the head. */
  | { readonly kind: 'commits'; readonly count: number }
  | { readonly kind: 'everything' };

/** What one listing says. */
export interface RemoteHeads {
  readonly tracked: Revision;
  readonly testing: ReadonlyMap<HostName, Revision>;
}

/** The remote that a mirror follows. All methods throw FleetError only, without any credential in it. */
export interface Remote {
  /** One listing: what is tracked, and tested, now. @throws FleetError SOURCE_UNREACHABLE, SOURCE_AUTH_FAILED, REF_NOT_FOUND */
  heads(signal?: AbortSignal): Promise<RemoteHeads>;
  /** Brings the tracked ref into the mirror. @throws FleetError as `head` does */
  fetch(depth: FetchDepth, signal?: AbortSignal): Promise<void>;
  /** Brings what is new in these hosts' testing branches. @throws FleetError as `fetch` does */
  fetchTesting(hosts: readonly HostName[], signal?: AbortSignal): Promise<void>;
  /** Ends what the adapter keeps running. */
  close(): Promise<void>;
}
