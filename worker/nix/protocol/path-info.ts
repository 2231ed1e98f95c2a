import { parseHash } from '../hash.ts';
import { encodeNumber, encodeText, encodeTexts, WireError, type WireReader } from './wire.ts';

/** What a store knows of a valid path. */
export interface ValidPathInfo {
  readonly path: string;
  /** The derivation that it was built by; nobody knows it of sources, and of some of what was copied. */
  readonly deriver: string | undefined;
  /** SHA-256 of the path as an archive: 64 lower-case hex digits. */
  readonly narHash: string;
  /** What it contains the names of: full paths, its own among them if it does so. */
  readonly references: readonly string[];
  /** When it became valid in that store: seconds since 1970. */
  readonly registeredAt: number;
  /** Bytes of the path as an archive. */
  readonly narSize: number;
  /** That it was built in that store. Of no other store it is to be said: whoever sends a path sends `false`. */
  readonly ultimate: boolean;
  /** Each the name of a key, a colon, and base 64. */
  readonly signatures: readonly string[];
  /** How its name follows from its contents, such as `fixed:r:sha256:` and base 32: it needs no signature then. */
  readonly contentAddress: string | undefined;
}

/**
 * A path's info as protocol versions from 1.16 on have it: the operations that add paths to a store begin with it.
 * (libstore/worker-protocol.cc, `UnkeyedValidPathInfo`; compared with what 2.8.0 and 2.26.3 say.)
 */
export function encodePathInfo(info: ValidPathInfo): Buffer {
  return Buffer.concat([
    encodeText(info.path),
    encodeText(info.deriver ?? ''),
    encodeText(info.narHash),
    encodeTexts(info.references.toSorted()),
    encodeNumber(info.registeredAt),
    encodeNumber(info.narSize),
    encodeNumber(info.ultimate ? 1 : 0),
    encodeTexts(info.signatures),
    encodeText(info.contentAddress ?? ''),
  ]);
}

/**
 * Reads all but the path, which an answer to a question for it does not repeat.
 * @throws WireError
 */
export async function readPathInfo(reader: WireReader, path: string): Promise<ValidPathInfo> {
  const deriver = await reader.text();
  const hash = await reader.text();
  const narHash = parseHash(hash);
  if (narHash === undefined) throw new WireError(`${JSON.stringify(hash)} is no SHA-256`);
  const references = await reader.texts();
  const registeredAt = await reader.number();
  const narSize = await reader.number();
  const ultimate = (await reader.number()) !== 0;
  const signatures = await reader.texts();
  const contentAddress = await reader.text();
  return {
    path,
    deriver: deriver === '' ? undefined : deriver,
    narHash,
    references,
    registeredAt,
    narSize,
    ultimate,
    signatures,
    contentAddress: contentAddress === '' ? undefined : contentAddress,
  };
}
