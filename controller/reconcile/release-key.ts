import { createHash } from 'node:crypto';
import type { Fleet } from '../../shared/domain/fleet.ts';
import type { HostName, Tree } from '../../shared/domain/names.ts';
import type { EvaluationRequest, ReleaseKey } from '../../shared/domain/observation.ts';

/** Asked for in every pass, and the same as long as nothing is pushed. */
const made = new WeakMap<Fleet, EvaluationRequest>();

/** What is asked of the evaluator for a tree; its key names the tree and every option that shapes the result. */
export function evaluationRequest(tree: Tree, fleet: Fleet): EvaluationRequest {
  const before = made.get(fleet);
  if (before?.tree === tree) return before;
  const request = newRequest(tree, fleet);
  made.set(fleet, request);
  return request;
}

function newRequest(tree: Tree, fleet: Fleet): EvaluationRequest {
  const hosts: ReadonlyMap<HostName, string> | 'all' =
    fleet.hosts.kind === 'discovered'
      ? 'all'
      : new Map(fleet.hosts.list.map((host) => [host.name, host.attribute]));
  const { folder, attribute } = fleet.flake;
  return { key: releaseKey(tree, folder, attribute, hosts), tree, folder, attribute, hosts };
}

function releaseKey(
  tree: Tree,
  folder: string,
  attribute: string,
  hosts: ReadonlyMap<HostName, string> | 'all',
): ReleaseKey {
  const options = JSON.stringify([
    folder,
    attribute,
    hosts === 'all' ? hosts : [...hosts].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ]);
  return `${tree}.${createHash('sha256').update(options).digest('hex').slice(0, 12)}`;
}
