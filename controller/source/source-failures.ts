import { FleetError } from '../../shared/domain/errors.ts';

/** The errors of a remote, as both adapters word them. Texts that come from outside are redacted by the caller. */

export function unreachable(url: string, why: string, cause?: unknown): FleetError {
  return new FleetError({
    code: 'SOURCE_UNREACHABLE',
    disposition: 'transient',
    message: `the repository ${url} cannot be read: ${why}`,
    hint: 'hosts keep what they have; it is tried again at the next look',
    cause,
  });
}

export function authFailed(url: string, why: string): FleetError {
  return new FleetError({
    code: 'SOURCE_AUTH_FAILED',
    disposition: 'transient',
    message: `the repository ${url} refuses access: ${why}`,
    hint: 'check that the credential is configured, still valid, and may read the repository; it is read anew at each look',
  });
}

export function refNotFound(url: string, ref: string): FleetError {
  return new FleetError({
    code: 'REF_NOT_FOUND',
    disposition: 'transient',
    message: `the repository ${url} has no ${ref}`,
    hint: 'hosts keep what they have; push the branch again, or configure the one that is to be followed',
    details: { ref },
  });
}

export function revisionMismatch(url: string, listed: string): FleetError {
  return new FleetError({
    code: 'REVISION_MISMATCH',
    disposition: 'transient',
    message: `the repository ${url} lists revision ${listed} but does not give it`,
    hint: 'a server or proxy between answers from a stale cache; nothing is deployed until listing and content agree',
    details: { revision: listed },
  });
}
