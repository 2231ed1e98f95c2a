import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { expectNothingLeft, expectWhole, validPaths } from '../support/host-store.ts';
import { addPaths, madeUpPath } from '../support/private-store.ts';
import { by, createPushRig, failureOf, pushed, ways, type PushRig } from '../support/push-rig.ts';
import { daemonsOn, settled, stopsAfter } from '../support/push-stops.ts';
import { file } from '../support/store-tree.ts';

let rig: PushRig;
const large = madeUpPath('large', 'gone');

beforeAll(async () => {
  rig = await createPushRig();
  await addPaths(rig.workshop, [
    { path: large, tree: file(Buffer.alloc(12_000_000, 'large')), references: [] },
  ]);
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

// Its machine lost power, or a router forgot the connection: nobody tells the host.
test.each(ways)(
  'a worker that has gone without a word in the middle of archives %s keeps no lock',
  async (_, nearMs) => {
    const host = await rig.host();
    const line = await rig.line(host);
    const { stopped, ...deps } = stopsAfter(rig, large, 20);
    const push = rig.pusher(host, { settings: { nearMs, stallMs: 5_000 }, ...deps });
    const failed = failureOf(pushed(push, by(host, line), large));
    await stopped;
    await settled(host);
    line.freeze();
    const failure = await failed;
    expect(failure).toMatchObject({ code: 'HOST_UNREACHABLE', disposition: 'transient' });
    expect(failure.message).toContain('said nothing for 6.2 s');
    // The host knows nothing of it.
    expect(await daemonsOn(host)).toContainEqual(expect.stringContaining('nix-daemon'));

    const next = rig.pusher(host, { settings: { nearMs, stallMs: 90_000 } });
    const began = performance.now();
    await pushed(next, host.connection, large, { deadlineMs: 120_000 });
    expect(performance.now() - began).toBeLessThan(60_000);
    await expectWhole(host, rig.workshop, large);
    next.ssh.close();
    line.thaw();
    push.ssh.close();
    await expectNothingLeft(host);
  },
);

test('processes that hang on the host, more than a connection may have, keep nobody from it', async () => {
  const host = await rig.host();
  const { ssh } = rig.pusher(host);
  for (let n = 0; n < 7; n += 1) {
    const path = madeUpPath(`hang-${n}`, 'gone');
    await addPaths(rig.workshop, [{ path, tree: file(Buffer.alloc(8_000_000, path)), references: [] }]);
    const { stopped, ...deps } = stopsAfter(rig, path, 20);
    const push = rig.pusher(host, { settings: { nearMs: Infinity, stallMs: 3_000 }, ...deps, ssh });
    const failed = failureOf(pushed(push, host.connection, path));
    await Promise.race([stopped, failed]);
    await settled(host);
    await host.inside(
      'sh',
      '-c',
      'kill -STOP $(pgrep -f "nix-daemon --stdio|as_root" | grep -vx $$) || true',
    );
    expect(await failed).toMatchObject({ code: 'HOST_UNREACHABLE', disposition: 'transient' });
  }
  const next = rig.pusher(host, { settings: { nearMs: Infinity, stallMs: 5_000 }, ssh });
  await pushed(next, host.connection, large);
  expect(await validPaths(host)).toContain(large);
});
