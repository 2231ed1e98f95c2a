import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Holder, Lease } from '../../shared/platform/ports/lease.ts';
import { eventually } from '../support/eventually.ts';

/** A lease for one test: nobody's, shared by everyone who opens it. */
export interface LeaseRig {
  open(): Promise<Lease>;
  /** Lets this much time pass, at least: really, or on the model's clock. */
  pass(ms: number): Promise<void>;
  down(): Promise<void>;
  upEmpty(): Promise<void>;
  close(): Promise<void>;
}

const a: Holder = { name: 'http://a.example:7420', id: 'a' };
const b: Holder = { name: 'http://b.example:7420', id: 'b' };

/** What every Lease does. */
export function leaseContract(name: string, make: () => Promise<LeaseRig>): void {
  describe(`the lease: ${name}`, () => {
    let rig: LeaseRig;
    let here: Lease;
    let there: Lease;
    beforeEach(async () => {
      rig = await make();
      here = await rig.open();
      there = await rig.open();
    });
    afterEach(() => rig.close());

    test('nobody has it at first', async () => {
      expect(await here.holder()).toBeUndefined();
    });

    test('one at a time has it, and everyone sees who', async () => {
      expect(await here.hold(a, 60_000)).toBe(true);
      expect(await there.hold(b, 60_000)).toBe(false);
      expect(await there.holder()).toEqual(a);
      expect(await here.holder()).toEqual(a);
    });

    test('another one of the same name does not have it', async () => {
      expect(await here.hold(a, 60_000)).toBe(true);
      const namesake = { name: a.name, id: 'elsewhere' };
      expect(await there.hold(namesake, 60_000)).toBe(false);
      await there.release(namesake);
      expect(await there.holder()).toEqual(a);
    });

    test('of many that ask at once, one gets it', async () => {
      const got = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          (i % 2 === 0 ? here : there).hold({ name: 'many', id: `${i}` }, 60_000),
        ),
      );
      expect(got.filter(Boolean)).toHaveLength(1);
    });

    test('its holder renews it for as long as it goes on asking', async () => {
      for (let i = 0; i < 6; i += 1) {
        expect(await here.hold(a, 600)).toBe(true);
        await rig.pass(200);
        expect(await there.hold(b, 600)).toBe(false);
      }
    });

    test('it is free when its time is over', async () => {
      expect(await here.hold(a, 100)).toBe(true);
      await rig.pass(150);
      expect(await there.holder()).toBeUndefined();
      expect(await there.hold(b, 60_000)).toBe(true);
      expect(await here.hold(a, 100)).toBe(false);
    });

    test('a renewal can shorten it', async () => {
      await here.hold(a, 60_000);
      await here.hold(a, 100);
      await rig.pass(150);
      expect(await there.hold(b, 60_000)).toBe(true);
    });

    test('its holder can give it back, nobody else can', async () => {
      await here.hold(a, 60_000);
      await there.release(b);
      expect(await here.holder()).toEqual(a);
      await here.release(a);
      await here.release(a);
      expect(await there.holder()).toBeUndefined();
      expect(await there.hold(b, 60_000)).toBe(true);
    });

    test('while the server is down it says so soon; an empty one gives it to whoever asks first', async () => {
      await here.hold(a, 60_000);
      await rig.down();
      const began = performance.now();
      const unavailable = { name: 'FleetError', code: 'STORE_UNAVAILABLE', disposition: 'transient' };
      await expect(here.hold(a, 60_000)).rejects.toMatchObject(unavailable);
      await expect(here.holder()).rejects.toMatchObject(unavailable);
      await expect(here.release(a)).rejects.toMatchObject(unavailable);
      expect(performance.now() - began).toBeLessThan(5_000);
      await rig.upEmpty();
      const taken = await eventually(() => there.hold(b, 60_000).then((got) => ({ got })), {
        what: 'a lease that answers again',
        deadlineMs: 10_000,
      });
      expect(taken.got).toBe(true);
    });
  });
}
