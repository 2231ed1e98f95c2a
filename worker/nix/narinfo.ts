import { FleetError } from '../../shared/domain/errors.ts';
import { isStorePath } from '../../shared/domain/names.ts';
import { formatHash, parseHash } from './hash.ts';
import type { ValidPathInfo } from './protocol/path-info.ts';

/**
 * What a binary cache says of one path: the file `<hash>.narinfo` there.
 * (libstore/nar-info.cc; compared with files that 2.8.0 and 2.26.3 wrote.)
 */
export interface Narinfo {
  /** A cache does not know when a path was registered where, nor who built it: zero, and `false`, when it is read. */
  readonly info: ValidPathInfo;
  /** Where the archive is, seen from the root of the cache. */
  readonly url: string;
  /** Such as `zstd`, `xz` or `none`. */
  readonly compression: string;
  /** SHA-256 of the compressed archive: 64 lower-case hex digits. Not every cache says it. */
  readonly fileHash: string | undefined;
  /** Bytes of the compressed archive. Not every cache says it. */
  readonly fileSize: number | undefined;
}

const storeFolder = '/nix/store/';

export function formatNarinfo({ info, url, compression, fileHash, fileSize }: Narinfo): string {
  const lines: readonly (readonly [name: string, value: string | undefined])[] = [
    ['StorePath', info.path],
    ['URL', url],
    ['Compression', compression],
    ['FileHash', fileHash === undefined ? undefined : formatHash(fileHash)],
    ['FileSize', fileSize?.toString()],
    ['NarHash', formatHash(info.narHash)],
    ['NarSize', `${info.narSize}`],
    ['References', info.references.toSorted().map(baseName).join(' ')],
    ['Deriver', info.deriver === undefined ? undefined : baseName(info.deriver)],
    ...info.signatures.map((signature) => ['Sig', signature] as const),
    ['CA', info.contentAddress],
  ];
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
}

function baseName(path: string): string {
  return path.slice(storeFolder.length);
}

/** Lines of a name, a colon, a blank and a value; those that nobody knows are left out. */
interface Line {
  readonly number: number;
  readonly value: string;
}

/** @throws FleetError INVALID_INPUT with the number of the line that cannot be */
export function parseNarinfo(text: string): Narinfo {
  const lines = linesOf(text);
  const one = (name: string): Line | undefined => {
    const [first, second] = lines.get(name) ?? [];
    if (second !== undefined) throw refused(second.number, `${name} is there twice`);
    return first;
  };
  const needed = (name: string): Line => {
    const line = one(name);
    if (line === undefined) throw refused(undefined, `${name} is missing`);
    return line;
  };
  const fileHash = one('FileHash');
  const fileSize = one('FileSize');
  const deriver = one('Deriver');
  return {
    info: {
      path: readPath(needed('StorePath'), ''),
      // Older versions wrote what a deriver that is not known is shown as.
      deriver:
        deriver === undefined || deriver.value === 'unknown-deriver'
          ? undefined
          : readPath(deriver, storeFolder),
      narHash: readHash(needed('NarHash')),
      references: readReferences(needed('References')),
      registeredAt: 0,
      narSize: readSize(needed('NarSize')),
      ultimate: false,
      signatures: (lines.get('Sig') ?? []).map(readSignature),
      contentAddress: readWord(one('CA')),
    },
    url: readWord(needed('URL')) ?? '',
    // What Nix takes for granted.
    compression: readWord(one('Compression')) ?? 'bzip2',
    fileHash: fileHash === undefined ? undefined : readHash(fileHash),
    fileSize: fileSize === undefined ? undefined : readSize(fileSize),
  };
}

function linesOf(text: string): ReadonlyMap<string, readonly Line[]> {
  const byName = new Map<string, Line[]>();
  const all = text.split('\n');
  if (all.at(-1) !== '') throw refused(all.length, 'it does not end: a part of the file is missing');
  for (const [index, line] of all.slice(0, -1).entries()) {
    const number = index + 1;
    const colon = line.indexOf(': ');
    if (colon < 1) throw refused(number, `${JSON.stringify(line.slice(0, 80))} has no name and value`);
    const name = line.slice(0, colon);
    const lines = byName.get(name) ?? [];
    lines.push({ number, value: line.slice(colon + 2) });
    byName.set(name, lines);
  }
  return byName;
}

function readPath({ number, value }: Line, folder: string): string {
  const path = `${folder}${value}`;
  if (!isStorePath(path)) throw refused(number, `${quoted(value)} is no path of ${storeFolder}`);
  return path;
}

function readReferences({ number, value }: Line): readonly string[] {
  if (value === '') return [];
  return value.split(' ').map((name) => readPath({ number, value: name }, storeFolder));
}

function readHash({ number, value }: Line): string {
  // Without its prefix one of another kind could be as long.
  const hash = value.startsWith('sha256') ? parseHash(value) : undefined;
  if (hash === undefined) throw refused(number, `${quoted(value)} is no SHA-256`);
  return hash;
}

function readSize({ number, value }: Line): number {
  const size = /^[1-9]\d*$/.test(value) ? Number(value) : NaN;
  if (!Number.isSafeInteger(size)) throw refused(number, `${quoted(value)} is no size`);
  return size;
}

function readSignature({ number, value }: Line): string {
  if (!/^[^\s:]+:[A-Za-z0-9+/]+={0,2}$/.test(value)) {
    throw refused(number, `${quoted(value)} is no signature`);
  }
  return value;
}

function readWord(line: Line | undefined): string | undefined {
  if (line === undefined) return undefined;
  if (!/^\S+$/.test(line.value)) throw refused(line.number, `${quoted(line.value)} is not one word`);
  return line.value;
}

function quoted(value: string): string {
  return JSON.stringify(value.slice(0, 80));
}

function refused(line: number | undefined, why: string): FleetError {
  return new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: `a narinfo file cannot be read: ${line === undefined ? '' : `line ${line}: `}${why}`,
    hint: 'the binary cache that it comes from is not whole, or is none',
  });
}
