import type { HostName } from '../../shared/domain/names.ts';
import type { Credential, FetchDepth } from './remote.ts';

/** What the main thread and the worker thread of the HTTP(S) adapter say to each other. */

export interface IsomorphicTask {
  readonly url: string;
  readonly ref: string;
  readonly credential: Credential | undefined;
  /** Bounds of one HTTP request, with its body. */
  readonly requestMs: number;
  readonly maxResponseBytes: number;
  readonly act:
    | { readonly kind: 'heads' }
    | { readonly kind: 'fetch-testing'; readonly gitDir: string; readonly hosts: readonly HostName[] }
    | {
        readonly kind: 'fetch';
        readonly gitDir: string;
        readonly depth: FetchDepth;
        readonly first: boolean;
      };
}

export interface IsomorphicRequest {
  readonly id: number;
  readonly task: IsomorphicTask;
}

export type IsomorphicResult =
  | { readonly kind: 'heads'; readonly refs: readonly (readonly [name: string, revision: string])[] }
  | { readonly kind: 'fetched' }
  | {
      readonly kind: 'failed';
      readonly why: 'auth' | 'ref' | 'too-large' | 'other';
      readonly message: string;
    };

export interface IsomorphicAnswer {
  readonly id: number;
  readonly result: IsomorphicResult;
}
