import { signText, verifyText, type SigningKey } from '../../shared/platform/signing-key.ts';
import { formatHash } from './hash.ts';
import type { ValidPathInfo } from './protocol/path-info.ts';

/**
 * Signatures of store paths, over what says what a path is. A host takes paths from whoever it does not trust when one of
 * its `trusted-public-keys` has signed them. (The manual of Nix, "nix store sign"; libstore/path-info.cc; `nix store
 * verify` accepts what is signed here.)
 */

/** What is signed of a path: all that a host takes somebody's word for. */
export function fingerprintOf(info: ValidPathInfo): string {
  const references = info.references.toSorted().join(',');
  return `1;${info.path};${formatHash(info.narHash)};${info.narSize};${references}`;
}

export function signPath(key: SigningKey, info: ValidPathInfo): string {
  return signText(key, fingerprintOf(info));
}

/**
 * Whether the signature is this key's, and of this path as it is said to be here.
 * @throws FleetError CONFIG_INVALID when the public key is none
 */
export function verifySignature(publicKey: string, info: ValidPathInfo, signature: string): boolean {
  return verifyText(publicKey, fingerprintOf(info), signature);
}

/** Whether one of the signatures that are said of the path is this key's. */
export function isSignedBy(publicKey: string, info: ValidPathInfo): boolean {
  return info.signatures.some((each) => verifySignature(publicKey, info, each));
}
