import type { StepContext } from '../../shared/platform/ports/steps.ts';
import type { PathInfo } from '../nix/store.ts';
import type { PushRequest } from './push.ts';
import type { Watch } from './watch.ts';

/** A push under way. */
export interface Run {
  readonly request: PushRequest;
  readonly closure: readonly PathInfo[];
  readonly watch: Watch;
  readonly context: StepContext;
  /** When, as `performance.now` has it. */
  readonly began: number;
  /** Of what the host lacked at first: so far, over however many connections. */
  readonly arrived: { paths: number; bytes: number };
  /** What the host lacked at first; empty before it has said so. */
  readonly lacked: Map<string, PathInfo>;
}

/** What arrived is known by what is missing now: of the last paths that a line took before it broke nobody heard. */
export function countAgain({ lacked, arrived }: Run, missing: readonly PathInfo[]): void {
  if (lacked.size === 0) for (const info of missing) lacked.set(info.path, info);
  const left = new Set(missing.map(({ path }) => path));
  const there = [...lacked.values()].filter(({ path }) => !left.has(path));
  arrived.paths = there.length;
  arrived.bytes = archiveBytes(there);
}

/** What is to be rooted, as the commands on the host read it. */
export function wanted({ deployment, paths }: PushRequest): Buffer {
  const lines = [...paths].map(([name, path]) => `${name} ${path}\n`);
  return Buffer.from(`${deployment}\n${lines.join('')}.\n`);
}

/** Of all of them together. */
export function archiveBytes(infos: readonly PathInfo[]): number {
  return infos.reduce((sum, { narSize }) => sum + narSize, 0);
}
