import type { Failure } from './errors.ts';
import type { DrvPath, HostName, Revision, StorePath, Tree } from './names.ts';

/** "The tracked ref was seen at this revision". The order of everything is `n`, not ancestry and not dates. */
export interface Observation {
  /** 1, 2, 3 …: given by the leader, written to the ledger. */
  readonly n: number;
  readonly revision: Revision;
  readonly tree: Tree;
  readonly at: number;
  /** The revision does not descend from the one observed before (a force push). */
  readonly forced: boolean;
  readonly author: string;
  readonly subject: string;
}

/** What one configuration of a tree evaluates to. */
export interface ReleasedHost {
  readonly drvPath: DrvPath;
  readonly toplevel: StorePath;
}

/** The complete result of evaluating one tree with one set of options. The first complete result is final. */
export interface Release {
  readonly key: ReleaseKey;
  readonly tree: Tree;
  readonly hosts: ReadonlyMap<HostName, ReleasedHost>;
}

/** Names a tree and the evaluation options: `<tree>.<digest of the options>`. */
export type ReleaseKey = string;

/** What is asked of an evaluation. */
export interface EvaluationRequest {
  readonly key: ReleaseKey;
  readonly tree: Tree;
  readonly folder: string;
  readonly attribute: string;
  /** Host → attribute; `all`: every attribute of the set whose name is a host name. */
  readonly hosts: ReadonlyMap<HostName, string> | 'all';
}

export type EvaluationOutcome =
  | { readonly kind: 'complete'; readonly release: Release; readonly durationMs: number }
  /** `failure.disposition` says if it is remembered (`stalled`) or tried again. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly durationMs: number };
