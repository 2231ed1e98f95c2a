import { lutimes, mkdir, readdir, lstat, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';

import { FleetError } from '../../shared/domain/errors.ts';
import type { DrvPath, StorePath } from '../../shared/domain/names.ts';

/**
 * Garbage-collector roots: symbolic links under the store's `gcroots`. A group is a folder of them; the groups of one
 * kind are kept or dropped by when they were used last.
 */
export interface Roots {
  /** `group` and `name` are file names made of validated data. Replaces a link of that name. */
  put(group: readonly string[], name: string, path: StorePath | DrvPath): Promise<void>;
  /** Marks an entry as used now. Nothing happens if it is not there. */
  touch(entry: readonly string[]): Promise<void>;
  /** The names in a group; none where there is no such group. */
  names(group: readonly string[]): Promise<readonly string[]>;
  /** Removes one link. */
  drop(group: readonly string[], name: string): Promise<void>;
  /** Removes the entries of a group but the `keep` last used, and those that something still needs. */
  prune(group: readonly string[], keep: number, needed?: ReadonlySet<string>): Promise<void>;
  /** Removes the entries of a group that were not used for longer. */
  forget(group: readonly string[], unusedMs: number): Promise<void>;
}

let counter = 0;

export function createRoots(deps: { readonly folder: string }): Roots {
  const within = (parts: readonly string[]): string => join(deps.folder, ...parts.map(checked));
  let last: Promise<void> = Promise.resolve();
  /** A group that is found to be unused must not go while something is put into it. */
  const inTurn = (act: () => Promise<void>): Promise<void> => {
    last = last.then(act, act);
    return last;
  };

  const put: Roots['put'] = async (group, name, path) => {
    try {
      const folder = within(group);
      await mkdir(folder, { recursive: true });
      counter += 1;
      const fresh = join(folder, `.new-${process.pid}-${counter}`);
      await symlink(path, fresh);
      await rename(fresh, join(folder, checked(name)));
      if (group.length > 1) await touch(folder);
    } catch (thrown) {
      throw notRooted(deps.folder, thrown);
    }
  };

  return {
    put: (...root) => inTurn(() => put(...root)),
    drop: (group, name) => rm(join(within(group), checked(name)), { force: true }),
    touch: (entry) => touch(within(entry)),
    names: (group) => readdir(within(group)).catch(() => []),
    async prune(group, keep, needed = new Set()) {
      const folder = within(group);
      const used = await usesIn(folder);
      used.sort((a, b) => b.at - a.at || (a.name < b.name ? -1 : 1));
      for (const { name } of used.slice(keep)) {
        if (needed.has(name)) continue;
        await rm(join(folder, name), { recursive: true, force: true });
      }
    },
    forget: (group, unusedMs) =>
      inTurn(async () => {
        const folder = within(group);
        const before = Date.now() - unusedMs;
        for (const { name, at } of await usesIn(folder)) {
          if (at < before) await rm(join(folder, name), { recursive: true, force: true });
        }
      }),
  };
}

/** When each entry of a folder was used last. */
async function usesIn(folder: string): Promise<{ readonly name: string; readonly at: number }[]> {
  const names = await readdir(folder).catch(() => []);
  return Promise.all(
    names.map(async (name) => ({
      name,
      at: (await lstat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0,
    })),
  );
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await lutimes(path, now, now).catch(() => {});
}

function checked(part: string): string {
  if (!/^[a-zA-Z0-9_+?=-][a-zA-Z0-9._+?=-]{0,250}$/.test(part)) {
    throw new FleetError({
      code: 'INTERNAL',
      disposition: 'stalled',
      message: `${JSON.stringify(part)} cannot name a root`,
    });
  }
  return part;
}

function notRooted(folder: string, cause: unknown): FleetError {
  if (cause instanceof FleetError) return cause;
  const full =
    cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT');
  return new FleetError({
    code: full ? 'DISK_FULL' : 'CONFIG_INVALID',
    disposition: 'transient',
    message: `cannot protect a store path from garbage collection in ${folder}`,
    hint: full
      ? 'make room on the worker'
      : `give the worker's user this folder: install -d -o <user> ${folder}`,
    cause,
  });
}
