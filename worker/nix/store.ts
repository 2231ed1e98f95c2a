import { FleetError } from '../../shared/domain/errors.ts';
import { isStorePath, type DrvPath, type StorePath } from '../../shared/domain/names.ts';
import { failureText } from './failure-text.ts';
import type { Nix, NixCommand, NixResult } from './nix.ts';
import { parsePathInfo, type PathInfo } from './path-info.ts';
import { isDiskFull } from './failure-words.ts';

export interface StoreOptions {
  readonly signal: AbortSignal | undefined;
  readonly deadlineMs?: number;
}

/** What it takes to make a derivation's output valid here. */
export interface BuildPlan {
  readonly willBuild: readonly string[];
  readonly willFetch: readonly string[];
}

/** Questions to the local store, each one short process. */
export interface NixStore {
  /** The subset of the paths that is not valid here. */
  invalid(paths: readonly (StorePath | DrvPath)[], options: StoreOptions): Promise<ReadonlySet<string>>;
  /** @throws FleetError INTERNAL when the derivation is not valid here */
  plan(drvPath: DrvPath, options: StoreOptions): Promise<BuildPlan>;
  /** All that the paths reference, themselves included, with sizes. */
  closure(paths: readonly StorePath[], options: StoreOptions): Promise<readonly PathInfo[]>;
  /** Copies a file into the store, content-addressed by its bytes. Its name is the file's. */
  addFile(file: string, options: StoreOptions): Promise<StorePath>;
}

const usualDeadlineMs = 120_000;

export function createNixStore(deps: { readonly nix: Nix }): NixStore {
  const ask = async (command: NixCommand, options: StoreOptions): Promise<NixResult> => {
    const result = await deps.nix.run(command, {
      signal: options.signal,
      deadlineMs: options.deadlineMs ?? usualDeadlineMs,
    });
    if (result.code !== 0) throw storeFailed(command, result);
    return result;
  };
  return {
    async invalid(paths, options) {
      if (paths.length === 0) return new Set();
      const command = ['nix-store', '--check-validity', '--print-invalid', ...paths] as const;
      const result = await ask(command, options);
      return new Set(linesOf(result));
    },
    async plan(drvPath, options) {
      const planned = createPlanReader();
      const result = await deps.nix.run(['nix-store', '--realise', '--dry-run', drvPath], {
        signal: options.signal,
        deadlineMs: options.deadlineMs ?? usualDeadlineMs,
        onEvent: (event) => {
          if (event.kind === 'message') planned.add(event.text);
        },
      });
      if (result.code !== 0) throw storeFailed(['nix-store', '--realise', '--dry-run'], result);
      return planned.plan();
    },
    async closure(paths, options) {
      if (paths.length === 0) return [];
      const result = await ask(['nix', 'path-info', '--recursive', '--json', ...paths], options);
      return parsePathInfo(result.stdout.toString('utf8'));
    },
    async addFile(file, options) {
      const result = await ask(['nix-store', '--add-fixed', 'sha256', file], options);
      const [path = ''] = linesOf(result);
      if (!isStorePath(path)) throw storeFailed(['nix-store', '--add-fixed'], result);
      return path;
    },
  };
}

function linesOf(result: NixResult): readonly string[] {
  return result.stdout
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

/** `these 2 derivations will be built:`, then one indented path a line. */
export function createPlanReader(): { add(text: string): void; plan(): BuildPlan } {
  const willBuild: string[] = [];
  const willFetch: string[] = [];
  let into: string[] | undefined;
  return {
    add(text) {
      for (const line of text.split('\n')) {
        const path = line.trim();
        if (path.endsWith('will be built:')) into = willBuild;
        else if (/will be fetched\b.*:$/.test(path)) into = willFetch;
        else if (isStorePath(path)) into?.push(path);
        else if (path !== '') into = undefined;
      }
    },
    plan: () => ({ willBuild, willFetch }),
  };
}

function storeFailed(command: readonly string[], result: NixResult): FleetError {
  const text = failureText(result);
  const full = isDiskFull(text);
  return new FleetError({
    code: full ? 'DISK_FULL' : 'INTERNAL',
    disposition: 'transient',
    message: full
      ? "the worker's disk is full"
      : `${command.slice(0, 2).join(' ')} failed (${result.code ?? result.signal}): ${text}`,
    ...(full ? { hint: 'make room on the worker, for example with nix-collect-garbage' } : {}),
  });
}
