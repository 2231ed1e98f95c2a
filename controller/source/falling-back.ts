import type { Remote } from './remote.ts';

/**
 * A remote that is asked through `first` until that meets a limit of its own (`isLimit`); from then on, and for what
 * just failed, through `second`.
 */
export function createFallingBack(deps: {
  readonly first: Remote;
  readonly second: Remote;
  readonly isLimit: (thrown: unknown) => boolean;
  readonly onFallBack: (thrown: unknown) => void;
}): Remote {
  let used = deps.first;
  async function ask<Value>(act: (remote: Remote) => Promise<Value>): Promise<Value> {
    try {
      return await act(used);
    } catch (thrown) {
      if (used === deps.second || !deps.isLimit(thrown)) throw thrown;
      used = deps.second;
      deps.onFallBack(thrown);
      return await act(used);
    }
  }
  return {
    heads: (signal) => ask((remote) => remote.heads(signal)),
    fetch: (depth, signal) => ask((remote) => remote.fetch(depth, signal)),
    fetchTesting: (hosts, signal) => ask((remote) => remote.fetchTesting(hosts, signal)),
    async close() {
      await deps.first.close();
      await deps.second.close();
    },
  };
}
