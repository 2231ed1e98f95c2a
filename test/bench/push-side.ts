import { startPusher, type StartedPusher } from '../../worker/push/start-pusher.ts';
import type { NixStore } from '../../worker/nix/store.ts';
import type { Ssh } from '../../worker/ssh/ssh.ts';

/** What a worker has for its pushes. */
export interface SenderStage {
  readonly store: NixStore;
  readonly ssh: Ssh;
  /** Its own store's place: before `/nix/store`. */
  readonly storeRoot: string;
  /** Private, and empty when the stage is new: for archives that are kept. */
  readonly cache: string;
}

/** Our side of `npm run bench -- push`: what the worker pushes with. */
export function ourPush({ store, ssh, storeRoot, cache }: SenderStage): Promise<StartedPusher> {
  return startPusher({ ssh, store, storeRoot, folder: cache, maxBytes: 8 * 1024 ** 3 });
}
