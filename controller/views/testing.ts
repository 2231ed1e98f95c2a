import type { TestingView } from '../../shared/contracts/api-common.ts';
import type { WhyLink } from '../../shared/contracts/api.ts';
import type { HostName } from '../../shared/domain/names.ts';
import { activeTesting, testingBranchOf } from '../../shared/domain/testing.ts';
import type { ViewContext } from './context.ts';

/** What has become of a host's testing branch, if it has one. */
export function testingOf({ memory }: ViewContext, host: HostName): TestingView | undefined {
  const testing = memory.hosts.get(host)?.testing;
  const newest = memory.observations.at(-1);
  if (testing === undefined || newest === undefined) return undefined;
  const branch = testingBranchOf(host);
  const { revision, ignored, key, released, at } = testing;
  const said = { branch, revision, since: at };
  if (ignored !== undefined) return { ...said, state: 'ignored', reason: ignored };
  if (activeTesting(memory.hosts.get(host), newest) === undefined) {
    return { ...said, state: 'ignored', reason: 'the tracked ref has moved since it was looked at' };
  }
  if (released !== undefined) {
    return { ...said, state: 'active', reason: 'it is on top of the tracked ref' };
  }
  const failure = memory.failedEvaluations.get(key);
  return failure === undefined
    ? { ...said, state: 'evaluating', reason: 'its tree is being evaluated' }
    : { ...said, state: 'failed', reason: failure.message };
}

export function testingLinks(context: ViewContext, host: HostName): readonly WhyLink[] {
  const testing = testingOf(context, host);
  if (testing === undefined) return [];
  const { branch, revision, state, reason, since } = testing;
  return [{ statement: `${branch} at ${revision.slice(0, 12)} is ${state}: ${reason}`, at: since, revision }];
}
