import { beforeEach, describe, expect, test } from 'vitest';
import { parseDeploymentId } from '../../shared/domain/names.ts';
import type { Written } from '../../shared/platform/ports/deployment-store.ts';
import { eventually } from '../support/eventually.ts';
import { deploymentStoreLossContract } from './deployment-store-loss.contract.ts';
import { type StoreRig, storeBench } from './deployment-store-rig.ts';
import {
  aDeployment,
  aRelease,
  aRequest,
  aTarget,
  aTerm,
  after,
  failure,
  reached,
  toplevel,
  tree,
  unreachable,
  web1,
  web2,
} from './samples.ts';

const written: Written = { kind: 'written' };
const conflict: Written = { kind: 'conflict' };
const otherTerm: Written = { kind: 'other-term' };
const gone: Written = { kind: 'gone' };

/** What every DeploymentStore does. */
export function deploymentStoreContract(name: string, make: () => Promise<StoreRig>): void {
  describe(`the deployment store: ${name}`, () => {
    const bench = storeBench(make);
    const first = aTerm(1);

    describe('lives', () => {
      test('a new store has no life, and refuses every write', async () => {
        const { store } = bench();
        expect(await store.term()).toBeUndefined();
        expect(await store.create(first, aDeployment())).toEqual(otherTerm);
        expect(await store.askEvaluation(first, aRequest('k'))).toEqual(otherTerm);
        expect(await store.list()).toEqual([]);
      });

      test('a life that was begun is seen by everyone', async () => {
        const { store, other } = bench();
        expect(await store.begin(first)).toBe(true);
        expect(await other.term()).toEqual(first);
      });

      test('only a higher epoch begins a new life', async () => {
        const { store, other } = bench();
        await store.begin(aTerm(5));
        expect(await other.begin(aTerm(4))).toBe(false);
        expect(await other.begin(aTerm(5, 'the same epoch'))).toBe(false);
        expect(await store.term()).toEqual(aTerm(5));
        expect(await other.begin(aTerm(6))).toBe(true);
        expect(await store.term()).toEqual(aTerm(6));
      });

      test('of several that begin the same epoch at once, one does', async () => {
        const { store, other } = bench();
        const began = await Promise.all(
          ['a', 'b', 'c', 'd'].map((who, i) => (i % 2 === 0 ? store : other).begin(aTerm(1, who))),
        );
        expect(began.filter(Boolean)).toHaveLength(1);
      });

      test('a new life drops contacts and targets of earlier ones, deployments and evaluations stay', async () => {
        const { store, other } = bench();
        await store.begin(first);
        await store.create(first, aDeployment());
        await store.askEvaluation(first, aRequest('k'));
        await store.putEvaluation('k', aRelease('k'));
        await store.setTargets(first, [aTarget(web1, 10)]);
        await store.putContact(first, reached(web1, first.incarnation, 10));

        await other.begin(aTerm(2));
        expect(await store.contacts()).toEqual([]);
        expect(await store.target(web1)).toBeUndefined();
        expect(await store.list()).toEqual([aDeployment()]);
        expect(await store.get(aDeployment().id)).toEqual({ term: aTerm(2), deployment: aDeployment() });
        expect(await store.evaluation('k')).toEqual({ request: aRequest('k'), outcome: aRelease('k') });
      });

      test('everything that was read in an earlier life is refused in the next', async () => {
        const { store, other } = bench();
        await store.begin(first);
        await store.create(first, aDeployment());
        await other.begin(aTerm(2));

        expect(
          await store.create(first, aDeployment({ host: web2, id: parseDeploymentId('d000002') })),
        ).toEqual(otherTerm);
        expect(await store.compareAndSet(first, after(aDeployment(), { kind: 'deliver-started' }))).toEqual(
          otherTerm,
        );
        expect(await store.remove(first, aDeployment().id)).toEqual(otherTerm);
        expect(await store.setTargets(first, [aTarget(web1, 1)])).toEqual(otherTerm);
        expect(await store.askEvaluation(first, aRequest('k'))).toEqual(otherTerm);
        expect(await store.list()).toEqual([aDeployment()]);
      });

      test('a life has both an epoch and an incarnation: one alone does not do', async () => {
        const { store } = bench();
        await store.begin(aTerm(3, 'x'));
        expect(await store.create(aTerm(3, 'y'), aDeployment())).toEqual(otherTerm);
        expect(await store.create(aTerm(2, 'x'), aDeployment())).toEqual(otherTerm);
        expect(await store.create(aTerm(3, 'x'), aDeployment())).toEqual(written);
      });
    });

    describe('deployments', () => {
      beforeEach(async () => {
        const { store } = bench();
        await store.begin(first);
      });

      test('what is created is read back whole by everyone', async () => {
        const { store, other } = bench();
        const whole = aDeployment({
          previous: toplevel,
          failure,
          evidence: true,
          delivery: { builds: 1, pushedPaths: 2, pushedBytes: 3, durationMs: 4.5 },
        });
        expect(await store.create(first, whole)).toEqual(written);
        expect(await other.get(whole.id)).toEqual({ term: first, deployment: whole });
        expect(await other.list()).toEqual([whole]);
      });

      test('an unknown deployment is undefined', async () => {
        const { store } = bench();
        expect(await store.get(parseDeploymentId('d999999'))).toBeUndefined();
      });

      test('a host has one deployment that is not over', async () => {
        const { store, other } = bench();
        await store.create(first, aDeployment());
        const second = aDeployment({ id: parseDeploymentId('d000002') });
        expect(await other.create(first, second)).toEqual(conflict);
        expect(await other.create(first, { ...second, host: web2 })).toEqual(written);
      });

      test('of many created for one host at once, one is written', async () => {
        const { store, other } = bench();
        const all = await Promise.all(
          Array.from({ length: 20 }, (_, i) =>
            (i % 2 === 0 ? store : other).create(
              first,
              aDeployment({ id: parseDeploymentId(`d1000${10 + i}`) }),
            ),
          ),
        );
        expect(all.filter((one) => one.kind === 'written')).toHaveLength(1);
        expect(all.filter((one) => one.kind === 'conflict')).toHaveLength(19);
        expect(await store.list()).toHaveLength(1);
      });

      test('the host is free again when its deployment is over', async () => {
        const { store } = bench();
        await store.create(first, aDeployment());
        const second = aDeployment({ id: parseDeploymentId('d000002') });
        await store.compareAndSet(first, after(aDeployment(), { kind: 'cancel', why: failure }));
        expect(await store.create(first, second)).toEqual(written);
        expect(await store.list()).toHaveLength(2);
      });

      test('the end of an old deployment does not free the host of a new one', async () => {
        const { store } = bench();
        await store.create(first, aDeployment());
        const cancelled = after(aDeployment(), { kind: 'cancel', why: failure });
        await store.compareAndSet(first, cancelled);
        await store.create(first, aDeployment({ id: parseDeploymentId('d000002') }));
        await store.compareAndSet(first, { ...cancelled, version: cancelled.version + 1 });
        await store.remove(first, cancelled.id);
        expect(await store.create(first, aDeployment({ id: parseDeploymentId('d000003') }))).toEqual(
          conflict,
        );
      });

      test('an id is used once', async () => {
        const { store } = bench();
        await store.create(first, aDeployment());
        expect(await store.create(first, aDeployment({ host: web2 }))).toEqual(conflict);
      });

      test('only the next version of the present one is written', async () => {
        const { store, other } = bench();
        await store.create(first, aDeployment());
        const next = after(aDeployment(), { kind: 'deliver-started' });
        expect(await store.compareAndSet(first, { ...next, version: 3 })).toEqual(conflict);
        expect(await store.compareAndSet(first, { ...next, version: 1 })).toEqual(conflict);
        expect(await store.compareAndSet(first, next)).toEqual(written);
        expect(await store.compareAndSet(first, next)).toEqual(conflict);
        expect(await other.get(next.id)).toEqual({ term: first, deployment: next });
      });

      test('of many that set the same version at once, one is written', async () => {
        const { store, other } = bench();
        const delivered = after(
          aDeployment(),
          { kind: 'deliver-started' },
          { kind: 'delivered', delivery: { builds: 0, pushedPaths: 0, pushedBytes: 0, durationMs: 1 } },
        );
        await store.create(first, { ...delivered, version: 1 });
        const next = after({ ...delivered, version: 1 }, { kind: 'activate-started' });
        const all = await Promise.all(
          Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? store : other).compareAndSet(first, next)),
        );
        expect(all.filter((one) => one.kind === 'written')).toHaveLength(1);
        expect(all.filter((one) => one.kind === 'conflict')).toHaveLength(19);
      });

      test('a deployment that is not there is gone', async () => {
        const { store } = bench();
        const next = after(aDeployment(), { kind: 'deliver-started' });
        expect(await store.compareAndSet(first, next)).toEqual(gone);
        expect(await store.remove(first, next.id)).toEqual(gone);
      });

      test('only one that is over is removed', async () => {
        const { store, other } = bench();
        await store.create(first, aDeployment());
        expect(await store.remove(first, aDeployment().id)).toEqual(conflict);
        await store.compareAndSet(first, after(aDeployment(), { kind: 'cancel', why: failure }));
        expect(await store.remove(first, aDeployment().id)).toEqual(written);
        expect(await other.get(aDeployment().id)).toBeUndefined();
      });
    });

    describe('targets and contacts', () => {
      beforeEach(async () => {
        const { store } = bench();
        await store.begin(first);
      });

      test('a target is read back whole, the last one that was set', async () => {
        const { store, other } = bench();
        await store.setTargets(first, [aTarget(web1, 1), aTarget(web2, 1)]);
        const bare = { ...aTarget(web1, 2), fence: undefined, adopt: undefined, ask: [], acknowledged: [] };
        expect(await store.setTargets(first, [bare])).toEqual(written);
        expect(await other.target(web1)).toEqual({ term: first, target: bare });
        expect(await other.target(web2)).toEqual({ term: first, target: aTarget(web2, 1) });
      });

      test('setting no targets writes nothing', async () => {
        const { store } = bench();
        expect(await store.setTargets(first, [])).toEqual(written);
        expect(await store.target(web1)).toBeUndefined();
      });

      test('a contact is read back whole, one for each host', async () => {
        const { store, other } = bench();
        expect(await store.putContact(first, reached(web1, first.incarnation, 10))).toEqual(written);
        expect(await store.putContact(first, unreachable(web2, first.incarnation, 10))).toEqual(written);
        const contacts = await other.contacts();
        expect(contacts).toHaveLength(2);
        expect(contacts).toContainEqual(reached(web1, first.incarnation, 10));
        expect(contacts).toContainEqual(unreachable(web2, first.incarnation, 10));
      });

      test('the newer contact of a host stays, in whatever order they come', async () => {
        const { store, other } = bench();
        await store.putContact(first, reached(web1, first.incarnation, 20));
        expect(await other.putContact(first, unreachable(web1, first.incarnation, 10))).toEqual(conflict);
        expect(await store.contacts()).toEqual([reached(web1, first.incarnation, 20)]);
        expect(await other.putContact(first, unreachable(web1, first.incarnation, 30))).toEqual(written);
        expect(await store.contacts()).toEqual([unreachable(web1, first.incarnation, 30)]);
      });

      test('a probe that was asked for earlier does not replace a later one, whatever the clocks of workers say', async () => {
        const { store } = bench();
        const later = { ...reached(web1, first.incarnation, 20), askedAt: 15 };
        await store.putContact(first, later);
        const earlier = { ...unreachable(web1, first.incarnation, 90), askedAt: 5 };
        expect(await store.putContact(first, earlier)).toEqual(conflict);
        expect(await store.contacts()).toEqual([later]);
      });

      test('a probe that began in an earlier life is refused', async () => {
        const { store, other } = bench();
        await other.begin(aTerm(2));
        expect(await store.putContact(first, reached(web1, first.incarnation, 10))).toEqual(otherTerm);
        expect(await store.putContact(aTerm(2), reached(web1, first.incarnation, 10))).toEqual(otherTerm);
        expect(await store.contacts()).toEqual([]);
      });
    });

    describe('evaluations', () => {
      beforeEach(async () => {
        const { store } = bench();
        await store.begin(first);
      });

      test('what is asked is read back whole, without an outcome at first', async () => {
        const { store, other } = bench();
        expect(await store.askEvaluation(first, aRequest('k1'))).toEqual(written);
        expect(await store.askEvaluation(first, { ...aRequest('k2'), hosts: 'all' })).toEqual(written);
        expect(await other.evaluation('k1')).toEqual({ request: aRequest('k1'), outcome: undefined });
        expect(await other.evaluation('k3')).toBeUndefined();
        expect(await other.evaluations()).toHaveLength(2);
        expect(await other.evaluation('k2')).toEqual({
          request: { ...aRequest('k2'), hosts: 'all' },
          outcome: undefined,
        });
      });

      test('asking again changes nothing', async () => {
        const { store, other } = bench();
        await store.askEvaluation(first, aRequest('k'));
        await store.putEvaluation('k', aRelease('k'));
        expect(await other.askEvaluation(first, { ...aRequest('k'), folder: 'elsewhere' })).toEqual(written);
        expect(await other.evaluation('k')).toEqual({ request: aRequest('k'), outcome: aRelease('k') });
      });

      test('the first outcome is it', async () => {
        const { store, other } = bench();
        await store.askEvaluation(first, aRequest('k'));
        const failed = { kind: 'failed', failure, durationMs: 5 } as const;
        expect(await other.putEvaluation('k', failed)).toEqual(written);
        expect(await store.putEvaluation('k', aRelease('k'))).toEqual(conflict);
        expect(await store.evaluations()).toEqual([{ request: aRequest('k'), outcome: failed }]);
      });

      test('an outcome that nobody asked for is not kept', async () => {
        const { store } = bench();
        expect(await store.putEvaluation('k', aRelease('k'))).toEqual(gone);
        expect(await store.evaluation('k')).toBeUndefined();
      });

      test('what was removed can be asked again', async () => {
        const { store } = bench();
        await store.askEvaluation(first, aRequest('k'));
        await store.putEvaluation('k', aRelease('k'));
        await store.removeEvaluation('k');
        await store.removeEvaluation('k');
        expect(await store.evaluations()).toEqual([]);
        await store.askEvaluation(first, aRequest('k'));
        expect(await store.evaluation('k')).toEqual({ request: aRequest('k'), outcome: undefined });
        expect((await store.evaluation('k'))?.request.tree).toBe(tree);
      });
    });

    describe('changes', () => {
      test('everyone who listens is told of what anyone writes, until they close', async () => {
        const { store, other } = bench();
        let told = 0;
        let closed = 0;
        const close = await other.onChange(() => {
          told += 1;
        });
        const closeFirst = await other.onChange(() => {
          closed += 1;
        });
        await closeFirst();
        const tells = async (what: string, act: () => Promise<unknown>) => {
          told = 0;
          await act();
          await eventually(() => told > 0, { what: `being told of ${what}`, deadlineMs: 5_000 });
        };
        await tells('a life', () => store.begin(first));
        await tells('a deployment', () => store.create(first, aDeployment()));
        await tells('its next version', () =>
          store.compareAndSet(first, after(aDeployment(), { kind: 'cancel', why: failure })),
        );
        await tells('its removal', () => store.remove(first, aDeployment().id));
        await tells('a contact', () => store.putContact(first, reached(web1, first.incarnation, 1)));
        await tells('a question', () => store.askEvaluation(first, aRequest('k')));
        await tells('an answer', () => store.putEvaluation('k', aRelease('k')));
        await close();
        expect(closed).toBe(0);
      });

      test('many changes at once are few calls', async () => {
        const { store, other } = bench();
        await store.begin(first);
        let told = 0;
        const close = await other.onChange(() => {
          told += 1;
        });
        await Promise.all(
          Array.from({ length: 200 }, (_, i) => store.putContact(first, reached(web1, first.incarnation, i))),
        );
        await eventually(() => told > 0, { what: 'being told', deadlineMs: 5_000 });
        expect(told).toBeLessThan(50);
        await close();
      });
    });
  });

  deploymentStoreLossContract(name, make);
}
