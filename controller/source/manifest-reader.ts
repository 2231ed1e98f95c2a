import { manifestFile, discoveredFleet, parseManifest } from '../../shared/contracts/manifest.ts';
import type { Failure } from '../../shared/domain/errors.ts';
import type { Tree } from '../../shared/domain/names.ts';
import type { Manifest } from '../../shared/platform/ports/source.ts';
import type { Mirror } from './mirror.ts';
import { listTree, readBlobs } from './tree-entries.ts';
import type { TreeEntry } from './tree-entries.ts';
import { unsupportedContent } from './unsupported-content.ts';

const largestManifestBytes = 1_048_576;

/** What a tree says about the fleet; a pure function of the tree. */
export async function readManifest(mirror: Mirror, tree: Tree): Promise<Manifest> {
  const entries = await listTree(mirror, tree);
  if (entries === undefined) return { kind: 'invalid', failure: tooManyFiles };
  const manifest = await manifestOf(mirror, entries);
  if (manifest.kind === 'invalid') return manifest;
  const unsupported = await unsupportedContent(mirror, tree, entries);
  if (unsupported !== undefined) return { kind: 'invalid', failure: unsupported };
  const { folder } = manifest.fleet.flake;
  const flakeFile = folder === '.' ? 'flake.nix' : `${folder}/flake.nix`;
  if (!entries.some((entry) => entry.rawPath === flakeFile)) {
    return invalid(
      `there is no ${flakeFile}`,
      `add it, or name the flake's folder in ${manifestFile} as \`flake: { folder: … }\``,
    );
  }
  return manifest;
}

const tooManyFiles: Failure = {
  code: 'UNSUPPORTED_CONTENT',
  disposition: 'stalled',
  message: 'the repository has more files than are read (hundreds of thousands)',
  hint: 'keep what is no configuration in repositories of its own, and make those flake inputs',
};

async function manifestOf(mirror: Mirror, entries: readonly TreeEntry[]): Promise<Manifest> {
  const entry = entries.find(({ rawPath }) => rawPath === manifestFile);
  if (entry === undefined) {
    // Someone who wrote one under another name means it to be read.
    const misnamed = entries.find(
      ({ rawPath }) => /^varve\.(yml|json)$/i.test(rawPath) || /^varve\.yaml$/i.test(rawPath),
    );
    if (misnamed !== undefined)
      return invalid(`${misnamed.rawPath} is not read`, `rename it to ${manifestFile}`);
    return { kind: 'fleet', fleet: discoveredFleet() };
  }
  if (!entry.mode.startsWith('100')) {
    return invalid(`${manifestFile} is not a regular file`, 'put the file itself there, not a link');
  }
  if (entry.size > largestManifestBytes) {
    return invalid(`${manifestFile} is larger than 1 MiB`, 'keep hosts and policy in it, nothing else');
  }
  let text: string | undefined;
  await readBlobs(mirror, [entry], (_, content) => {
    text = utf8(content);
  });
  return text === undefined
    ? invalid(`${manifestFile} is not UTF-8 text`, 'save it as UTF-8')
    : parseManifest(text);
}

function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function invalid(message: string, hint: string): { readonly kind: 'invalid'; readonly failure: Failure } {
  return { kind: 'invalid', failure: { code: 'MANIFEST_INVALID', disposition: 'stalled', message, hint } };
}
