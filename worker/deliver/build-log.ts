import { isFixedOutput } from '../nix/derivation.ts';
import type { NixEvent } from '../nix/log.ts';
import { failedDerivation, type FailedBuild } from './build-errors.ts';

const keptLines = 50;
const longestLine = 500;

/** Follows the events of one process that builds. */
export interface BuildLog {
  add(event: NixEvent): void;
  /** Derivations whose build was started. */
  readonly started: ReadonlySet<string>;
  /** Derivations whose build has ended, well or not. */
  readonly ended: ReadonlySet<string>;
  failures(): ReadonlyMap<string, FailedBuild>;
}

/** `onLine` gets each line for people, with the derivation that it is about. */
export function createBuildLog(onLine: (line: string, drvPath: string | undefined) => void): BuildLog {
  const drvOf = new Map<number, string>();
  const tails = new Map<string, string[]>();
  const started = new Set<string>();
  const ended = new Set<string>();
  const messages = new Map<string, string>();
  return {
    started,
    ended,
    add(event) {
      switch (event.kind) {
        case 'build-started':
          drvOf.set(event.id, event.drvPath);
          started.add(event.drvPath);
          onLine(`building ${nameOf(event.drvPath)}`, event.drvPath);
          return;
        case 'build-line': {
          const drvPath = drvOf.get(event.id);
          if (drvPath === undefined) return;
          const tail = tails.get(drvPath) ?? [];
          tail.push(event.line.slice(0, longestLine));
          if (tail.length > keptLines) tail.shift();
          tails.set(drvPath, tail);
          onLine(`${nameOf(drvPath)}> ${event.line}`, drvPath);
          return;
        }
        case 'stopped': {
          const drvPath = drvOf.get(event.id);
          if (drvPath !== undefined) ended.add(drvPath);
          return;
        }
        case 'substitution-started':
          onLine(`fetching ${event.path}`, undefined);
          return;
        case 'message': {
          if (event.level > 0) return;
          const failed = failedDerivation(event.text);
          if (failed !== undefined && !messages.has(failed)) messages.set(failed, event.text);
          return;
        }
        case 'build-phase':
        case 'copy-started':
      }
    },
    failures: () =>
      new Map(
        [...messages].map(([drvPath, message]) => [
          drvPath,
          { drvPath, message, log: tails.get(drvPath) ?? [], fixedOutput: isFixedOutput(drvPath) },
        ]),
      ),
  };
}

function nameOf(drvPath: string): string {
  return drvPath.slice('/nix/store/'.length + 33, -'.drv'.length);
}
