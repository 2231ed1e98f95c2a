import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { expectNothingLeft, expectWhole } from '../support/host-store.ts';
import type { LoopbackHost } from '../support/loopback-host.ts';
import { addPaths, madeUpPath } from '../support/private-store.ts';
import { by, createPushRig, failureOf, pushed, ways, type PushRig } from '../support/push-rig.ts';
import { daemonsOn, settled, stopsAfter } from '../support/push-stops.ts';
import { file } from '../support/store-tree.ts';

let rig: PushRig;
const large = madeUpPath('large', 'left-behind');
const below = madeUpPath('below', 'left-behind');

beforeAll(async () => {
  rig = await createPushRig();
  await addPaths(rig.workshop, [
    { path: below, tree: file(Buffer.alloc(3_000_000, 'below')), references: [] },
    { path: large, tree: file(Buffer.alloc(12_000_000, below)), references: [below] },
  ]);
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

async function expectNextPushWorks(host: LoopbackHost): Promise<void> {
  const next = rig.pusher(host, { settings: { nearMs: Infinity, stallMs: 5_000 } });
  await pushed(next, host.connection, large);
  await expectWhole(host, rig.workshop, large);
  next.ssh.close();
}

describe.each(ways)('of a push that sends archives %s', (_, nearMs) => {
  test.each([0, 1, 20])(
    'a line that dies after %i pieces of a path leaves nothing, and no lock',
    async (pieces) => {
      const host = await rig.host();
      const line = await rig.line(host);
      const { stopped, ...deps } = stopsAfter(rig, large, pieces);
      const push = rig.pusher(host, { settings: { nearMs }, ...deps });
      const failed = failureOf(pushed(push, by(host, line), large));
      await stopped;
      await settled(host);
      expect(line.cut()).toBe(1);
      // Where a path has arrived it tries once more, and stops at the same place.
      const again = async (): Promise<void> => {
        await eventually(() => line.connections() === 2, { what: 'another try', deadlineMs: 5_000 });
        await settled(host);
        line.cut();
      };
      await Promise.race([failed, again()]);
      expect(await failed).toMatchObject({ code: 'HOST_UNREACHABLE' });
      await expectNothingLeft(host);
      await expectNextPushWorks(host);
    },
  );

  test('who is not wanted any more stops at once, and leaves nothing', async () => {
    const host = await rig.host();
    const { stopped, ...deps } = stopsAfter(rig, large, 9);
    const push = rig.pusher(host, { settings: { nearMs }, ...deps });
    const wish = new AbortController();
    const failed = failureOf(pushed(push, host.connection, large, { signal: wish.signal }));
    await stopped;
    await settled(host);
    const began = performance.now();
    wish.abort();
    expect(await failed).toMatchObject({ code: 'CANCELLED' });
    expect(performance.now() - began).toBeLessThan(500);
    // The connection is kept, with a shell for each command of the next push.
    await eventually(async () => (await daemonsOn(host)).length === 0, {
      what: 'the end of the daemon',
      deadlineMs: 5_000,
    });
    await expectNextPushWorks(host);
    push.ssh.close();
    await expectNothingLeft(host);
  });

  test('a push that does not end in its time is given up', async () => {
    const host = await rig.host();
    const { stopped, ...deps } = stopsAfter(rig, large, 9);
    const push = rig.pusher(host, { settings: { nearMs }, ...deps });
    const failed = failureOf(pushed(push, host.connection, large, { deadlineMs: 1_500 }));
    await stopped;
    const failure = await failed;
    expect(failure).toMatchObject({ code: 'PUSH_FAILED', disposition: 'transient' });
    expect(failure.hint).toContain('timeouts.push');
    const next = rig.pusher(host, { settings: { nearMs } });
    await pushed(next, host.connection, large);
    await expectWhole(host, rig.workshop, large);
  });
});
