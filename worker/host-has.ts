import { candidates, type Deployment } from '../shared/domain/deployment.ts';
import { FleetError } from '../shared/domain/errors.ts';
import type { StorePath } from '../shared/domain/names.ts';
import type { StepContext } from '../shared/platform/ports/steps.ts';
import { asRoot } from './ssh/remote-shell.ts';
import type { Ssh } from './ssh/ssh.ts';

/**
 * In: the deployment, the toplevel, the guard. What a root holds is valid; what is found is rooted for the deployment
 * too, so that it stays until the activation. Out: a line for each that is there. No Nix process runs.
 */
const command = asRoot(
  [
    'PATH=/run/current-system/sw/bin:/usr/bin:/bin',
    'read -r id; read -r toplevel; read -r guard',
    'roots=/nix/var/nix/gcroots/varve',
    'held=$(readlink /nix/var/nix/profiles/system-*-link "$roots"/guard "$roots"/*/* 2> /dev/null)',
    'have() { case "',
    '$held',
    '" in *"',
    '$1',
    '"*) [ -e "$1" ] && mkdir -p "$roots/$id" && ln -sfn "$1" "$roots/$id/$2" && echo "$2";; esac; }',
    'have "$toplevel" toplevel',
    'have "$guard" guard',
    'exit 0',
  ].join('\n'),
);

/** What of a deployment is valid and rooted on its host already. A host that cannot be asked has nothing. */
export function createHostHas(deps: { readonly ssh: Ssh; readonly guard: StorePath }) {
  return async (
    deployment: Deployment,
    context: StepContext,
  ): Promise<{ readonly toplevel: boolean; readonly guard: boolean }> => {
    try {
      const session = await deps.ssh.firstReachable(candidates(deployment), { signal: context.signal });
      try {
        const { stdout } = await session.exec(command, {
          stdin: `${deployment.id}\n${deployment.toplevel}\n${deps.guard}\n`,
          deadlineMs: 30_000,
          signal: context.signal,
        });
        const lines = new Set(stdout.split('\n'));
        return { toplevel: lines.has('toplevel'), guard: lines.has('guard') };
      } finally {
        session.close();
      }
    } catch (thrown) {
      // The push that follows says what is wrong, in its own words.
      if (thrown instanceof FleetError) return { toplevel: false, guard: false };
      throw thrown;
    }
  };
}
