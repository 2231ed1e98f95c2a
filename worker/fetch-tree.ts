import { FleetError } from '../shared/domain/errors.ts';
import type { Tree } from '../shared/domain/names.ts';

const deadlineMs = 300_000;

/** Gets trees from the leader, over the internal route. Git's own hashes verify what comes. */
export function createFetchTree(deps: { readonly controllerUrl: string; readonly token: string }) {
  return async (tree: Tree, signal: AbortSignal): Promise<Uint8Array> => {
    let response: Response;
    try {
      response = await fetch(`${deps.controllerUrl}/internal/trees/${tree}`, {
        headers: { authorization: `Bearer ${deps.token}` },
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
      });
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
    } catch (cause) {
      throw unavailable(`the controller at ${deps.controllerUrl} does not answer`, cause);
    }
    throw unavailable(`the controller at ${deps.controllerUrl} answers ${response.status} for tree ${tree}`);
  };
}

function unavailable(message: string, cause?: unknown): FleetError {
  return new FleetError({
    code: 'SOURCE_UNREACHABLE',
    disposition: 'transient',
    message,
    hint: 'check `worker.controllerUrl` and that controller and worker share the internal token',
    cause,
  });
}
