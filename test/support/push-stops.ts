import type { StorePath } from '../../shared/domain/names.ts';
import type { PusherDeps } from '../../worker/push/pusher.ts';
import { storedFrame } from '../../worker/push/zstd-frame.ts';
import { eventually } from './eventually.ts';
import { pushProcesses } from './host-store.ts';
import type { LoopbackHost } from './loopback-host.ts';
import type { PushRig } from './push-rig.ts';

/** Gives so many pieces of a path and then no more: what was sent by then ends between two frames. */
export function stopsAfter(
  rig: PushRig,
  stopAt: StorePath,
  pieces: number,
): Partial<PusherDeps> & { readonly stopped: Promise<void> } {
  let stop = (): void => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  async function* read(path: string): AsyncGenerator<Uint8Array> {
    let given = 0;
    for await (const piece of rig.source.read(path)) {
      if (path === stopAt && given === pieces) {
        stop();
        await new Promise(() => {});
      }
      yield piece;
      given += 1;
    }
  }
  return {
    stopped,
    source: { read },
    archives: {
      // Else they would be read ahead.
      has: () => true,
      async *pieces({ path }) {
        for await (const piece of read(path)) yield { length: piece.length, frame: storedFrame(piece) };
      },
    },
  };
}

/** The host has read all that was sent. */
export async function settled(host: LoopbackHost): Promise<void> {
  let before = '';
  await eventually(
    async () => {
      const now = await host.inside('sh', '-c', 'cat /proc/[0-9]*/io | grep rchar');
      const isSame = now.replaceAll(/\d{1,6}$/gm, '') === before.replaceAll(/\d{1,6}$/gm, '');
      before = now;
      return isSame;
    },
    { what: 'the host to have read all', deadlineMs: 10_000, everyMs: 200 },
  );
}

/** The programs that take what a push sends. */
export async function daemonsOn(host: LoopbackHost): Promise<readonly string[]> {
  return (await pushProcesses(host)).filter((process) =>
    / (?:nix-daemon --stdio|zstd -dcq|cat)$/.test(process),
  );
}
