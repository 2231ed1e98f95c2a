import { createHash } from 'node:crypto';
import type { Fleet, HostSpec } from '../../shared/domain/fleet.ts';
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

/** The same for one host of a testing branch: its tree, read as the tracked ref says. */
export function testingRequest(tree: Tree, fleet: Fleet, { name, attribute }: HostSpec): EvaluationRequest {
  return requestFor(tree, fleet, new Map([[name, attribute]]));
}

function newRequest(tree: Tree, fleet: Fleet): EvaluationRequest {
  const hosts: ReadonlyMap<HostName, string> | 'all' =
    fleet.hosts.kind === 'discovered'
      ? 'all'
      : new Map(fleet.hosts.list.map((host) => [host.name, host.attribute]));
  return requestFor(tree, fleet, hosts);
}

function requestFor(tree: Tree, fleet: Fleet, hosts: EvaluationRequest['hosts']): EvaluationRequest {
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
