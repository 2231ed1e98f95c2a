import { createPooledExec } from '../../worker/deliver/pooled-exec.ts';
import { createNixCopyPush } from '../../worker/deliver/push-nix-copy.ts';
import type { OpenSsh } from '../../worker/deliver/open-ssh.ts';
import type { Push } from '../../worker/deliver/push.ts';
import type { Nix } from '../../worker/nix/nix.ts';
import type { NixStore } from '../../worker/nix/store.ts';
import type { Ssh } from '../../worker/ssh/ssh.ts';

/** What a worker has for its pushes. */
export interface SenderStage {
  readonly nix: Nix;
  readonly store: NixStore;
  readonly ssh: Ssh;
  readonly openSsh: OpenSsh;
  /** Private, and empty when the stage is new: for archives that are kept. */
  readonly cache: string;
}

/** Our side of `npm run bench -- push`: what the worker pushes with. */
export function ourPush({ nix, store, ssh, openSsh }: SenderStage): Push {
  return createNixCopyPush({
    nix,
    store,
    exec: createPooledExec({ ssh }),
    configuration: openSsh.configuration,
  });
}
