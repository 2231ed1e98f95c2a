import { createHash } from 'node:crypto';

import { parseRevision, type Revision, type Tree } from '../domain/names.ts';

/** The one commit that stands for a tree when it is evaluated. */
export interface SyntheticCommit {
  readonly sha: Revision;
  /** The commit object without Git's header, as `git hash-object -t commit --stdin` takes it. */
  readonly bytes: Buffer;
}

/**
 * The parentless commit of a tree. Author, dates and message are fixed, so equal trees have equal commits: whatever
 * a configuration embeds of its revision, a revert evaluates to the same derivations. The date is not 0, because
 * some tools take that for "none".
 */
export function syntheticCommit(tree: Tree): SyntheticCommit {
  const person = 'Varve <varve@varve.invalid> 1 +0000';
  const bytes = Buffer.from(`tree ${tree}\nauthor ${person}\ncommitter ${person}\n\ntree ${tree}\n`, 'utf8');
  const sha = createHash('sha1').update(`commit ${bytes.length}\0`).update(bytes).digest('hex');
  return { sha: parseRevision(sha), bytes };
}
