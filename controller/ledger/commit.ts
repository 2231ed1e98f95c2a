import { createHash } from 'node:crypto';

import type { Fact } from '../../shared/domain/facts.ts';
import { damaged, encodeFact, writtenByNewer } from './codec.ts';
import { bodyOf, subjectOf } from './describe.ts';

/**
 * How a commit of the ledger looks. Its tree has one file more than its parent's, `YYYY/MM/DD/<n>.jsonl` (a day
 * with very many has sub-folders, which no reader has to know of); its message ends with the object id of that file's content. Git chains the commits by their hashes, and since the message
 * names the content, the chain holds every fact without a look at the trees.
 */

/** Rises when an older version could not read what a newer one writes. */
const format = 1;

/**
 * Each commit writes anew the list of the files in its folder: were there ten thousand, a commit would be some hundred
 * kilobytes. Forges show no more than a thousand either.
 */
const filesInFolder = 1_000;

export const noCommit = '0'.repeat(40);

export interface NewCommit {
  readonly ref: string;
  /** The commit before it; `undefined` for the first one. */
  readonly parent: string | undefined;
  /** 1 for the first commit, rising by one. */
  readonly n: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** How many commits its day has already. */
  readonly ofDay: number;
  readonly facts: readonly Fact[];
}

/** A day with its commits so far. */
export interface Day {
  /** Days since the epoch. */
  readonly day: number;
  readonly commits: number;
}

/** The day of one more commit. */
export function dayWith(before: Day | undefined, at: number): Day {
  const day = Math.floor(at / 86_400_000);
  return { day, commits: before?.day === day ? before.commits + 1 : 1 };
}

/** The commit as a stream for `git fast-import`, which answers with its object id. */
export function importStream(commit: NewCommit): string {
  // Without the closing `done` nothing is written: a stream that was cut off is no commit.
  return ['feature done', `${importCommands(commit)}get-mark :1`, 'done', ''].join('\n');
}

/** What makes the commit, as a part of a stream. In one that makes several, `from` is needed in the first only. */
export function importCommands(commit: NewCommit): string {
  const content = commit.facts.map((fact) => `${encodeFact(fact)}\n`).join('');
  const message = [
    subjectOf(commit.facts),
    '',
    bodyOf(commit.facts),
    '',
    `Facts: ${objectId('blob', Buffer.from(content))}`,
    `Format: ${format}`,
    '',
  ].join('\n');
  return [
    `commit ${commit.ref}`,
    'mark :1',
    `committer Varve <varve@localhost> ${Math.floor(commit.at / 1_000)} +0000`,
    data(message),
    ...(commit.parent === undefined ? [] : [`from ${commit.parent}`]),
    `M 100644 inline ${fileOf(commit)}`,
    data(content),
    '',
  ].join('\n');
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}`;
}

function fileOf({ at, n, ofDay }: NewCommit): string {
  const day = new Date(at).toISOString().slice(0, 10).replaceAll('-', '/');
  const folder = Math.floor(ofDay / filesInFolder);
  return folder === 0 ? `${day}/${n}.jsonl` : `${day}/more-${folder}/${n}.jsonl`;
}

export interface ReadCommit {
  readonly parent: string | undefined;
  readonly at: number;
  /** The object id of the content. */
  readonly facts: string;
}

/** @throws FleetError LEDGER_BROKEN */
export function readCommit(id: string, bytes: Buffer): ReadCommit {
  const where = `commit ${id}`;
  if (objectId('commit', bytes) !== id) throw damaged(where, 'its content does not have its hash');
  const text = bytes.toString('utf8');
  const end = text.indexOf('\n\n');
  const parents = [...text.slice(0, end).matchAll(/^parent ([0-9a-f]{40})$/gm)].map((found) => found[1]);
  if (parents.length > 1) throw damaged(where, 'it is a merge');
  const trailers = /\nFacts: ([0-9a-f]{40})\nFormat: (\d+)\n$/.exec(text);
  if (trailers?.[1] === undefined) throw damaged(where, 'it was not written by Varve');
  if (Number(trailers[2]) > format) throw writtenByNewer(where);
  const seconds = /^committer .* (\d+) \+0000$/m.exec(text.slice(0, end))?.[1];
  return { parent: parents[0], at: Number(seconds ?? 0) * 1_000, facts: trailers[1] };
}

/** The name that Git gives to an object. */
export function objectId(type: 'blob' | 'commit', content: Buffer): string {
  return createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest('hex');
}
