import type { Revision } from '../../shared/domain/names.ts';

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

/** The remote that a mirror follows. All methods throw FleetError only, without any credential in it. */
export interface Remote {
  /** One listing: what the tracked ref is now. @throws FleetError SOURCE_UNREACHABLE, SOURCE_AUTH_FAILED, REF_NOT_FOUND */
  head(signal?: AbortSignal): Promise<Revision>;
  /** Brings the tracked ref into the mirror. @throws FleetError as `head` does */
  fetch(depth: FetchDepth, signal?: AbortSignal): Promise<void>;
  /** Ends what the adapter keeps running. */
  close(): Promise<void>;
}
