import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { createRandom } from '../simulation/random.ts';
import { closureOf } from '../support/closures.ts';
import { expectWhole, validPaths } from '../support/host-store.ts';
import type { Closure } from '../support/private-store.ts';
import { by, createPushRig, pushed, ways, type PushRig } from '../support/push-rig.ts';

/** What the host's SSH server takes and nobody has read yet is lost with the line; and the shells' own pipes. */
const heldBytes = 2.5 * 1024 * 1024;
const cuts = 20;

let rig: PushRig;
let system: Closure;
let largest: number;

beforeAll(async () => {
  rig = await createPushRig();
  const origin = { seed: 'cuts', round: '1' };
  system = await closureOf(rig.workshop, { kind: 'system', paths: 150, bytes: 60_000_000 }, origin);
  const infos = await rig.workshop.store.closure([system.root], { signal: undefined });
  largest = Math.max(...infos.map(({ narSize }) => narSize));
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

const carried = new Map<number, number>();

/** What the whole push carries, as it is compressed or not. */
async function carriedWhole(nearMs: number): Promise<number> {
  const known = carried.get(nearMs);
  if (known !== undefined) return known;
  const host = await rig.host();
  const line = await rig.line(host);
  await pushed(rig.pusher(host, { settings: { nearMs } }), by(host, line), system.root);
  carried.set(nearMs, line.carried('to-server'));
  return line.carried('to-server');
}

const points = ways.flatMap(([way, nearMs]) => {
  const random = createRandom(`cuts ${way}`);
  return Array.from({ length: cuts }, () => [way, nearMs, random.next()] as const);
});

test.each(points)(
  '%s (%d), a line that is cut at %d of the push: only the rest is sent again',
  async (_, nearMs, at) => {
    const all = await carriedWhole(nearMs);
    const host = await rig.host();
    const line = await rig.line(host);
    const push = rig.pusher(host, { settings: { nearMs } });
    const isCut = line.cutAfter(Math.floor(0.98 * at * all), 'to-server');
    const [first] = await Promise.allSettled([pushed(push, by(host, line), system.root)]);
    await isCut;
    const before = (await validPaths(host)).length;
    const again = await pushed(push, by(host, line), system.root);
    if (first.status === 'fulfilled') expect(first.value.paths).toBe(system.paths);
    else {
      expect(first.reason).toMatchObject({ code: 'HOST_UNREACHABLE', disposition: 'transient' });
      expect(again.paths).toBeLessThanOrEqual(system.paths - before);
    }
    expect(line.carried('to-server')).toBeLessThan(all + largest + heldBytes);
    await expectWhole(host, rig.workshop, system.root);
  },
);
