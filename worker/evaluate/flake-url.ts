import { FleetError } from '../../shared/domain/errors.ts';
import type { StoredTree } from './tree-store.ts';

/**
 * The flake reference of a folder of a stored tree. The repository is one that is not bare: Nix then reads it where
 * it lies, with its attributes, instead of fetching it into a cache of its own.
 * @throws FleetError INVALID_INPUT when the folder leads out of the tree
 */
export function flakeUrl(tree: StoredTree, folder: string): string {
  const where = tree.folder.split('/').map(encodeURIComponent).join('/');
  const dir = flakeFolder(folder);
  const query = [
    `ref=${tree.ref}`,
    `rev=${tree.commit}`,
    ...(dir === undefined ? [] : [`dir=${dir.split('/').map(encodeURIComponent).join('/')}`]),
  ];
  return `git+file://${where}?${query.join('&')}`;
}

function flakeFolder(folder: string): string | undefined {
  const parts = folder.split('/').filter((part) => part !== '' && part !== '.');
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (folder.startsWith('/') || parts.includes('..') || /[\u0000-\u001F\u007F]/.test(folder)) {
    throw new FleetError({
      code: 'INVALID_INPUT',
      disposition: 'stalled',
      message: `the flake's folder ${JSON.stringify(folder.slice(0, 80))} is not a folder of the repository`,
      hint: 'give a relative path without `..`',
    });
  }
  return parts.length === 0 ? undefined : parts.join('/');
}
