import { FleetError } from '../../shared/domain/errors.ts';
import { isStorePath, type DrvPath, type StorePath } from '../../shared/domain/names.ts';
import { failureText } from './failure-text.ts';
import type { LocalDaemon } from './local-daemon.ts';
import type { Nix, NixCommand, NixResult } from './nix.ts';
import type { DaemonClient } from './protocol/daemon-client.ts';
import type { ValidPathInfo } from './protocol/path-info.ts';
import { storeError } from './store-error.ts';

export interface StoreOptions {
  readonly signal: AbortSignal | undefined;
  readonly deadlineMs?: number;
}

/** What it takes to make a derivation's output valid here. */
export interface BuildPlan {
  readonly willBuild: readonly string[];
  readonly willFetch: readonly string[];
}

/** One path of a closure. */
export interface PathInfo extends ValidPathInfo {
  readonly path: StorePath;
}

/** The local store: questions go to a daemon of our own, changes to a program. */
export interface NixStore {
  /** The subset of the paths that is not valid here. */
  invalid(paths: readonly (StorePath | DrvPath)[], options: StoreOptions): Promise<ReadonlySet<string>>;
  /** @throws FleetError INTERNAL when the derivation is not valid here */
  plan(drvPath: DrvPath, options: StoreOptions): Promise<BuildPlan>;
  /** All that the paths reference, themselves included. */
  closure(paths: readonly StorePath[], options: StoreOptions): Promise<readonly PathInfo[]>;
  /** Copies a file into the store, content-addressed by its bytes. Its name is the file's. */
  addFile(file: string, options: StoreOptions): Promise<StorePath>;
}

const usualDeadlineMs = 120_000;

export function createNixStore(deps: { readonly nix: Nix; readonly daemon: LocalDaemon }): NixStore {
  const ask = <Answer>(
    question: (daemon: DaemonClient) => Promise<Answer>,
    { signal, deadlineMs = usualDeadlineMs }: StoreOptions,
  ): Promise<Answer> => deps.daemon.ask(question, { signal, deadlineMs });
  return {
    async invalid(paths, options) {
      if (paths.length === 0) return new Set();
      const valid = await ask((daemon) => daemon.validPaths(paths), options);
      return new Set(paths.filter((path) => !valid.has(path)));
    },
    async plan(drvPath, options) {
      const { willBuild, willSubstitute, unknown } = await ask(
        (daemon) => daemon.missing([drvPath]),
        options,
      );
      if (unknown.includes(drvPath)) throw notHere(drvPath);
      return { willBuild, willFetch: willSubstitute };
    },
    closure: (paths, options) => ask((daemon) => closureOf(paths, daemon), options),
    async addFile(file, { signal, deadlineMs = usualDeadlineMs }) {
      const command: NixCommand = ['nix-store', '--add-fixed', 'sha256', file];
      const result = await deps.nix.run(command, { signal, deadlineMs });
      const [path = ''] = linesOf(result);
      if (result.code !== 0 || !isStorePath(path)) throw storeFailed(command, result);
      return path;
    },
  };
}

/** One round of questions for each step that the farthest reference is away. @throws FleetError INTERNAL */
async function closureOf(paths: readonly StorePath[], daemon: DaemonClient): Promise<readonly PathInfo[]> {
  const closure = new Map<string, PathInfo>();
  const known = new Set<string>(paths);
  for (let next: readonly string[] = [...known]; next.length > 0;) {
    const infos = await daemon.pathInfos(next);
    const found = new Set<string>();
    for (const [index, path] of next.entries()) {
      const info = infos[index];
      if (info === undefined || !isStorePath(path)) throw notHere(path);
      closure.set(path, { ...info, path });
      for (const reference of info.references) if (!known.has(reference)) found.add(reference);
    }
    next = [...found];
    for (const path of next) known.add(path);
  }
  return [...closure.values()];
}

function notHere(path: string): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: `${path} is not valid in the worker's store`,
  });
}

function linesOf(result: NixResult): readonly string[] {
  return result.stdout
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

function storeFailed(command: readonly string[], result: NixResult): FleetError {
  const what = `${command.slice(0, 2).join(' ')} failed (${result.code ?? result.signal})`;
  return storeError(what, failureText(result));
}
