import { describe, expect, test } from 'vitest';
import { parseDeploymentId } from '../../shared/domain/names.ts';
import type { Written } from '../../shared/platform/ports/deployment-store.ts';
import { eventually } from '../support/eventually.ts';
import { type StoreRig, storeBench } from './deployment-store-rig.ts';
import { aDeployment, aTerm, after, reached, web1, web2 } from './samples.ts';

const written: Written = { kind: 'written' };
const otherTerm: Written = { kind: 'other-term' };

/** What every DeploymentStore does when its server is killed, comes back, or comes back empty. */
export function deploymentStoreLossContract(name: string, make: () => Promise<StoreRig>): void {
  describe(`the deployment store: ${name}: the loss of the server`, () => {
    const bench = storeBench(make);
    const first = aTerm(1);

    test('while it is down every method fails soon, as STORE_UNAVAILABLE', async () => {
      const { rig, store, back } = bench();
      await store.begin(first);
      await rig.down();
      const began = performance.now();
      const unavailable = { name: 'FleetError', code: 'STORE_UNAVAILABLE', disposition: 'transient' };
      await expect(store.term()).rejects.toMatchObject(unavailable);
      await expect(store.begin(aTerm(2))).rejects.toMatchObject(unavailable);
      await expect(store.create(first, aDeployment())).rejects.toMatchObject(unavailable);
      await expect(store.get(aDeployment().id)).rejects.toMatchObject(unavailable);
      await expect(store.list()).rejects.toMatchObject(unavailable);
      await expect(store.contacts()).rejects.toMatchObject(unavailable);
      await expect(store.evaluation('k')).rejects.toMatchObject(unavailable);
      await expect(store.onChange(() => {})).rejects.toMatchObject(unavailable);
      expect(performance.now() - began).toBeLessThan(8_000);
      await rig.up();
      await back();
    });

    test('a server that was restarted with its data lives no life: nothing read before is written', async () => {
      const { rig, store, other, back } = bench();
      await store.begin(first);
      await store.create(first, aDeployment());
      await store.putContact(first, reached(web1, first.incarnation, 1));
      await rig.down();
      await rig.up();
      await back();

      expect(await store.term()).toBeUndefined();
      expect(await other.term()).toBeUndefined();
      expect(await store.get(aDeployment().id)).toBeUndefined();
      expect(await store.compareAndSet(first, after(aDeployment(), { kind: 'deliver-started' }))).toEqual(
        otherTerm,
      );
      expect(
        await other.create(first, aDeployment({ host: web2, id: parseDeploymentId('d000002') })),
      ).toEqual(otherTerm);
      expect(await store.putContact(first, reached(web1, first.incarnation, 2))).toEqual(otherTerm);
    });

    test('after a restart the present leader begins again, an older one does not', async () => {
      const { rig, store, other, back } = bench();
      await store.begin(aTerm(4, 'before'));
      await rig.down();
      await rig.up();
      await back();
      expect(await other.begin(aTerm(3))).toBe(false);
      expect(await store.begin(aTerm(4, 'after'))).toBe(true);
      expect(await store.term()).toEqual(aTerm(4, 'after'));
      expect(await other.begin(aTerm(4, 'once more'))).toBe(false);
      expect(await store.create(aTerm(4, 'before'), aDeployment())).toEqual(otherTerm);
      expect(await store.create(aTerm(4, 'after'), aDeployment())).toEqual(written);
    });

    test('a server that came back empty is a new store', async () => {
      const { rig, store, back } = bench();
      await store.begin(first);
      await store.create(first, aDeployment());
      await rig.down();
      await rig.upEmpty();
      await back();
      expect(await store.term()).toBeUndefined();
      expect(await store.list()).toEqual([]);
      expect(await store.compareAndSet(first, after(aDeployment(), { kind: 'deliver-started' }))).toEqual(
        otherTerm,
      );
      expect(await store.begin(aTerm(1, 'again'))).toBe(true);
      expect(await store.create(aTerm(1, 'again'), aDeployment())).toEqual(written);
    });

    test('who listens is told when the server is back, and of what is written then', async () => {
      const { rig, store, other, back } = bench();
      let told = 0;
      const close = await other.onChange(() => {
        told += 1;
      });
      await rig.down();
      await rig.upEmpty();
      await back();
      await eventually(() => told > 0, { what: 'being told that it is back', deadlineMs: 10_000 });
      told = 0;
      await store.begin(aTerm(9));
      await eventually(() => told > 0, { what: 'being told of the new life', deadlineMs: 10_000 });
      expect(await other.term()).toEqual(aTerm(9));
      await close();
    });
  });
}
