import { expect } from 'vitest';

import { closureOf } from './closures.ts';
import { eventually } from './eventually.ts';
import { collected, expectWhole, validPaths } from './host-store.ts';
import type { LoopbackHost } from './loopback-host.ts';
import type { Closure } from './private-store.ts';
import { by, failureOf, pushed, ways, type PushRig } from './push-rig.ts';

/** What may happen to a host, or to the line there, while a push is under way. */
interface Happening {
  readonly what: string;
  readonly happens: (rig: PushRig, system: Closure, nearMs: number) => Promise<void>;
  /** How archives are sent in every run. */
  readonly everyRun: (typeof ways)[number][0];
}

const happenings: readonly Happening[] = [
  {
    what: 'a garbage collection on the host takes nothing, neither during the push nor after it',
    everyRun: 'compressed',
    async happens(rig, system, nearMs) {
      const host = await rig.host();
      const end = collecting(host);
      const push = rig.pusher(host, { settings: { nearMs } });
      await pushed(push, host.connection, system.root);
      expect(await end()).toBeGreaterThan(2);
      expect(await collected(host)).toHaveLength(system.paths);
      await expectWhole(host, rig.workshop, system.root);
    },
  },
  {
    what: 'two workers push the same to one host',
    everyRun: 'as they are',
    async happens(rig, system, nearMs) {
      const host = await rig.host();
      // Two daemons that make a store at the same time are in the way of each other.
      await host.inside('nix-store', '--verify');
      const pushes = [1, 2].map(async (n) => {
        const push = rig.pusher(host, { settings: { nearMs } });
        return pushed(push, host.connection, system.root, { deployment: `d00000${n}` });
      });
      await Promise.all(pushes);
      expect(await collected(host)).toHaveLength(system.paths);
      await expectWhole(host, rig.workshop, system.root);
    },
  },
  {
    what: 'a line that breaks again and again is got over, and nothing that has arrived is sent again',
    everyRun: 'compressed',
    async happens(rig, system, nearMs) {
      const host = await rig.host();
      const line = await rig.line(host);
      const push = rig.pusher(host, { settings: { nearMs } });
      const breaks = (async () => {
        for (let n = 0; n < 3; n += 1) {
          await line.cutAfter(nearMs === 0 ? 4_000_000 : 9_000_000, 'to-server');
        }
      })();
      const { paths } = await pushed(push, by(host, line), system.root);
      await breaks;
      expect(line.connections()).toBe(4);
      expect(paths).toBe(system.paths);
      // Of each line that broke: what the host's SSH server and a decompressor hold, and the path that was on its way.
      expect(line.carried('to-server')).toBeLessThan(system.bytes + 3 * 6_000_000);
      await expectWhole(host, rig.workshop, system.root);
    },
  },
  {
    what: 'a host that hangs is given up, and gets the rest once it runs again',
    everyRun: 'as they are',
    async happens(rig, system, nearMs) {
      const host = await rig.host();
      const line = await rig.line(host);
      const push = rig.pusher(host, { settings: { nearMs, stallMs: 1_500 } });
      const failed = failureOf(pushed(push, by(host, line), system.root));
      await eventually(() => line.carried('to-server') > 3_000_000, {
        what: 'some of it',
        deadlineMs: 20_000,
      });
      line.freeze();
      const began = performance.now();
      expect(await failed).toMatchObject({ code: 'HOST_UNREACHABLE', disposition: 'transient' });
      expect(performance.now() - began).toBeLessThan(4_000);
      line.thaw();
      const before = (await validPaths(host)).length;
      const next = rig.pusher(host, { settings: { nearMs } });
      const { paths } = await pushed(next, by(host, line), system.root);
      expect(paths).toBeLessThanOrEqual(system.paths - before);
      await expectWhole(host, rig.workshop, system.root);
    },
  },
];

/** Each in one way in every run, and in the other in the matrix. */
export function meanwhile(when: 'every run' | 'matrix') {
  return happenings.flatMap(({ what, happens, everyRun }) =>
    ways
      .filter(([way]) => (way === everyRun) === (when === 'every run'))
      .map(([way, nearMs]) => [`${way}: ${what}`, happens, nearMs] as const),
  );
}

/** What is pushed meanwhile. */
export function meanwhileSystem({ workshop }: PushRig): Promise<Closure> {
  const origin = { seed: 'meanwhile', round: '1' };
  return closureOf(workshop, { kind: 'system', paths: 120, bytes: 40_000_000 }, origin);
}

/** Collects garbage on the host again and again, until it is ended. Gives how often. */
function collecting(host: LoopbackHost): () => Promise<number> {
  let isOver = false;
  let times = 0;
  const running = (async () => {
    while (!isOver) {
      await host.inside('nix-store', '--gc');
      times += 1;
    }
  })();
  return async () => {
    isOver = true;
    await running;
    return times;
  };
}
