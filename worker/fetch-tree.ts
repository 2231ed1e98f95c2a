import { FleetError } from '../shared/domain/errors.ts';
import type { Tree } from '../shared/domain/names.ts';

const deadlineMs = 300_000;

export interface FetchTreeDeps {
  /** Where trees may be had, likeliest first: the leader has them, a controller that stands by may not. */
  readonly addresses: () => Promise<readonly string[]>;
  readonly token: string;
}

/**
 * Gets trees over the controllers' internal route. Git's own hashes verify what comes.
 * @throws FleetError SOURCE_UNREACHABLE when no controller gives the tree
 */
export function createFetchTree({ addresses, token }: FetchTreeDeps) {
  return async (tree: Tree, signal: AbortSignal): Promise<Uint8Array> => {
    let last: FleetError | undefined;
    for (const address of new Set(await addresses())) {
      try {
        const response = await fetch(`${address}/internal/trees/${tree}`, {
          headers: { authorization: `Bearer ${token}` },
          redirect: 'error',
          signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
        });
        if (response.ok) return new Uint8Array(await response.arrayBuffer());
        last = unavailable(`the controller at ${address} answers ${response.status} for tree ${tree}`);
      } catch (cause) {
        last = unavailable(`the controller at ${address} does not answer`, cause);
      }
    }
    throw last ?? unavailable('no controller is known');
  };
}

/** Where the leader says that it answers, then where the configuration says; a lease may also hold a mere name. */
export function controllerAddresses(deps: {
  readonly leader: () => Promise<string | undefined>;
  readonly configured: string;
}): () => Promise<readonly string[]> {
  return async () => {
    const leader = await deps.leader().catch(() => undefined);
    return leader !== undefined && /^https?:\/\//.test(leader)
      ? [leader.replace(/\/+$/, ''), deps.configured]
      : [deps.configured];
  };
}

function unavailable(message: string, cause?: unknown): FleetError {
  return new FleetError({
    code: 'SOURCE_UNREACHABLE',
    disposition: 'transient',
    message,
    hint: 'check `publicUrl` of the controllers, `worker.controllerUrl`, and that all share the internal token',
    cause,
  });
}
