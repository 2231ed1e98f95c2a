import type { Failure } from '../../shared/domain/errors.ts';
import type { Tree } from '../../shared/domain/names.ts';
import { linkLeavesTree } from './link-target.ts';
import type { Mirror } from './mirror.ts';
import { readBlobs, shownPath } from './tree-entries.ts';
import type { TreeEntry } from './tree-entries.ts';

/** Git LFS keeps its pointers below this size; everything smaller is looked into. */
const pointerBytes = 1_024;
/** Encrypted files larger than this are not looked for. */
const encryptedBytes = 16 * 1_048_576;
const linkBytes = 4_096;
/** About a second. Real trees take a thousandth of it; links made of thousands of parts would take hours. */
const linkEffort = 50_000_000;

const lfsPointer = Buffer.from('version https://git-lfs.github.com/spec/');
const oldLfsPointer = Buffer.from('version https://hawser.github.com/spec/');
const gitCrypt = Buffer.from('\0GITCRYPT\0', 'latin1');

/**
 * What in a tree cannot be evaluated faithfully from its raw contents: submodules, LFS pointers, encrypted blobs,
 * links that leave the tree, unsafe paths. `undefined`: nothing.
 */
export async function unsupportedContent(
  mirror: Mirror,
  tree: Tree,
  entries: readonly TreeEntry[],
): Promise<Failure | undefined> {
  for (const entry of entries) {
    if (isUnsafe(entry.rawPath)) {
      return refusal(
        entry,
        'has an unsafe path',
        'rename it: no control characters, no `..`, nothing named .git',
      );
    }
    if (entry.mode === '160000') {
      return refusal(
        entry,
        'is a submodule',
        'make it a flake input instead, or copy its files into the repository',
      );
    }
  }
  return (await badLink(mirror, entries)) ?? (await badBlob(mirror, entries));
}

async function badLink(mirror: Mirror, entries: readonly TreeEntry[]): Promise<Failure | undefined> {
  const links = entries.filter((entry) => entry.mode === '120000');
  const oversized = links.find((entry) => entry.size > linkBytes);
  if (oversized !== undefined)
    return refusal(oversized, 'is a link with a target that is no path', 'remove it');
  const contents = new Map<string, string>();
  await readBlobs(mirror, links, (object, content) => contents.set(object, content.toString('latin1')));
  const targets = new Map(links.map((entry) => [entry.rawPath, contents.get(entry.object) ?? '']));
  const effort = { left: linkEffort };
  const leaving = links.find((entry) => linkLeavesTree(entry.rawPath, targets, effort));
  if (leaving === undefined) return undefined;
  if (effort.left < 0)
    return refusal(leaving, 'is one of too many links with too long targets', 'remove them');
  return refusal(
    leaving,
    'is a link that leaves the repository',
    'link inside the repository, or have the configuration name the path itself',
  );
}

async function badBlob(mirror: Mirror, entries: readonly TreeEntry[]): Promise<Failure | undefined> {
  const files = entries.filter((entry) => entry.mode.startsWith('100'));
  const bad = new Map<string, 'lfs' | 'crypt'>();
  let encrypts = false;
  const attributes = new Set(
    files.filter(({ rawPath }) => rawPath.split('/').at(-1) === '.gitattributes').map(({ object }) => object),
  );
  const look = (object: string, content: Buffer): void => {
    if (attributes.has(object) && content.includes('git-crypt')) encrypts = true;
    if (startsWith(content, lfsPointer) || startsWith(content, oldLfsPointer)) bad.set(object, 'lfs');
    if (startsWith(content, gitCrypt)) bad.set(object, 'crypt');
  };
  const small = (entry: TreeEntry): boolean =>
    entry.size < pointerBytes || (attributes.has(entry.object) && entry.size < encryptedBytes);
  await readBlobs(mirror, files.filter(small), look);
  // Larger blobs are read only where the repository says that some are encrypted.
  if (encrypts) {
    await readBlobs(
      mirror,
      files.filter((entry) => !small(entry) && entry.size <= encryptedBytes),
      look,
    );
  }
  const first = files.find((entry) => bad.has(entry.object));
  if (first === undefined) return undefined;
  return bad.get(first.object) === 'lfs'
    ? refusal(
        first,
        'is a Git LFS pointer, not the file itself',
        'commit the file itself, or fetch it in the flake by its hash',
      )
    : refusal(first, 'is encrypted with git-crypt', 'use sops-nix or agenix: they decrypt on the host');
}

function startsWith(content: Buffer, start: Buffer): boolean {
  return content.subarray(0, start.length).equals(start);
}

function isUnsafe(rawPath: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(rawPath) || rawPath.startsWith('/')) return true;
  return rawPath
    .split('/')
    .some((part) => part === '' || part === '.' || part === '..' || part.toLowerCase() === '.git');
}

function refusal(entry: TreeEntry, what: string, hint: string): Failure {
  const path = shownPath(entry.rawPath);
  return {
    code: 'UNSUPPORTED_CONTENT',
    disposition: 'stalled',
    message: `${path} ${what}`,
    hint,
    details: { path },
  };
}
