import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Ledger } from '../../shared/platform/ports/ledger.ts';
import {
  aGenesis,
  anIntent,
  anObservation,
  anOutcome,
  everyKind,
  web1,
  web2,
} from '../support/ledger-facts.ts';

export interface LedgerWorld {
  /**
   * Another process's view of the same history. With a single writer, the one opened before has ended by then: it is
   * not used any more.
   */
  open(): Promise<Ledger>;
  /** Can two views be used at the same time? */
  readonly severalWriters: boolean;
  close(): Promise<void>;
}

/** What every ledger keeps to. `make` gives an empty one. */
export function ledgerContract(name: string, make: () => Promise<LedgerWorld>): void {
  describe(`the ledger, ${name}`, () => {
    let world: LedgerWorld;

    beforeEach(async () => {
      world = await make();
    });

    afterEach(async () => {
      await world.close();
    });

    async function opened(): Promise<Ledger> {
      const ledger = await world.open();
      await ledger.load();
      return ledger;
    }

    it('is empty at first', async () => {
      const ledger = await world.open();
      expect(await ledger.load()).toEqual([]);
    });

    it('gives back every kind of fact exactly as it was, oldest first', async () => {
      const ledger = await opened();
      expect(await ledger.append(everyKind)).toMatchObject({ kind: 'appended' });
      expect(await (await world.open()).load()).toEqual(everyKind);
    });

    it('keeps the order over several appends', async () => {
      const ledger = await opened();
      await ledger.append([aGenesis]);
      await ledger.append([anObservation(1), anIntent(1)]);
      await ledger.append([anOutcome(1)]);
      expect(await ledger.load()).toStrictEqual([aGenesis, anObservation(1), anIntent(1), anOutcome(1)]);
    });

    it('gives each append a head of its own', async () => {
      const ledger = await opened();
      const first = await ledger.append([aGenesis]);
      const second = await ledger.append([anObservation(1)]);
      expect(first.kind === 'appended' && second.kind === 'appended' && first.head !== second.head).toBe(
        true,
      );
    });

    it('writes nothing when there is nothing to write', async () => {
      const ledger = await opened();
      expect(await ledger.append([])).toMatchObject({ kind: 'nothing-new' });
      const appended = await ledger.append([aGenesis]);
      expect(await ledger.append([])).toEqual({ ...appended, kind: 'nothing-new' });
    });

    it('drops a fact that is there already, whoever brings it', async () => {
      const ledger = await opened();
      await ledger.append([aGenesis, anIntent(1)]);
      expect(await ledger.append([anIntent(1)])).toMatchObject({ kind: 'nothing-new' });
      const later = await opened();
      expect(await later.append([anIntent(1), anIntent(2)])).toMatchObject({ kind: 'appended' });
      expect(await (await world.open()).load()).toStrictEqual([aGenesis, anIntent(1), anIntent(2)]);
    });

    it('drops a fact that is in the same append twice', async () => {
      const ledger = await opened();
      await ledger.append([anOutcome(1), { ...anOutcome(1), reason: 'told again' }]);
      expect(await ledger.load()).toStrictEqual([anOutcome(1)]);
    });

    it('keeps intent and outcome of a deployment, and two hosts, apart', async () => {
      const ledger = await opened();
      const facts = [anIntent(1, web1), anOutcome(1, web1), anIntent(2, web2), anOutcome(2, web2)];
      await ledger.append(facts);
      expect(await ledger.load()).toStrictEqual(facts);
    });

    it('can be appended to after it was loaded again', async () => {
      const ledger = await opened();
      await ledger.append([aGenesis]);
      await ledger.load();
      expect(await ledger.append([anObservation(1)])).toMatchObject({ kind: 'appended' });
    });

    it('carries out appends that were asked for at the same time, each one whole', async () => {
      const ledger = await opened();
      const all = await Promise.all(
        Array.from({ length: 5 }, (_, i) => ledger.append([anIntent(2 * i), anIntent(2 * i + 1)])),
      );
      expect(all.map((appended) => appended.kind)).toEqual(Array.from({ length: 5 }, () => 'appended'));
      expect(await ledger.load()).toStrictEqual(Array.from({ length: 10 }, (_, i) => anIntent(i)));
    });

    it('answers a second writer with a conflict when the first was quicker, and keeps nothing of it', async () => {
      const first = await opened();
      await first.append([aGenesis]);
      if (!world.severalWriters) {
        await expect(opened()).resolves.toBeDefined();
        return;
      }
      const second = await opened();
      expect(await first.append([anObservation(1)])).toMatchObject({ kind: 'appended' });
      expect(await second.append([anObservation(2)])).toEqual({ kind: 'conflict' });
      expect(await second.load()).toStrictEqual([aGenesis, anObservation(1)]);
      expect(await second.append([anObservation(2)])).toMatchObject({ kind: 'appended' });
      expect(await first.append([anObservation(3)])).toEqual({ kind: 'conflict' });
      expect(await first.load()).toStrictEqual([aGenesis, anObservation(1), anObservation(2)]);
    });

    it('lets exactly one of two writers begin it', async () => {
      const first = await opened();
      if (!world.severalWriters) return;
      const second = await opened();
      const answers = await Promise.all([
        first.append([aGenesis]),
        second.append([{ kind: 'genesis', at: 2_000, owner: 'other' }]),
      ]);
      expect(answers.map((answer) => answer.kind).toSorted()).toEqual(['appended', 'conflict']);
      expect(await (await world.open()).load()).toHaveLength(1);
    });

    it('never loses nor doubles a fact when two writers take turns at random', async () => {
      if (!world.severalWriters) return;
      const writers = [await opened(), await opened()];
      let next = 0;
      const write = async (ledger: Ledger): Promise<void> => {
        for (let i = 0; i < 6; i += 1) {
          const fact = anIntent((next += 1));
          while ((await ledger.append([fact])).kind === 'conflict') await ledger.load();
        }
      };
      await Promise.all(writers.map(write));
      const numbers = (await (await opened()).load()).map((fact) =>
        fact.kind === 'intent' ? fact.aim.observation : 0,
      );
      expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    });
  });
}
