import { describe, expect, test } from 'vitest';
import type { ProbeTarget, Tidy } from '../../shared/domain/contact.ts';
import { done } from './host-outcomes.ts';
import { owner, type HostBench } from './host-rig.ts';

/** What becomes of profile generations that are to go. */
export function hostTidying(name: string, present: () => HostBench): void {
  const retain = (keep: number): ProbeTarget['retain'] => ({ owner, toplevels: [], keep });

  /** Brings the host to `two` by way of others, and gives what is to be ordered of it then. */
  async function prepare(): Promise<{ readonly numbers: readonly number[]; readonly tidy: Tidy }> {
    const { activate, deployment, probe } = present();
    for (const system of ['two', 'one', 'two'] as const) {
      const one = deployment(system);
      expect(await activate(one)).toMatchObject(done);
      await probe({ acknowledged: [one.id] });
    }
    const { generations, profile, profileGeneration } = await probe({ retain: retain(1) });
    if (profile === undefined || profileGeneration === undefined) throw new Error('the host has no profile');
    const numbers = generations.map(({ number }) => number);
    return {
      numbers,
      tidy: {
        profile,
        generation: profileGeneration,
        generations: numbers.slice(1, 3),
        bootMenu: false,
        collectGarbage: false,
      },
    };
  }

  describe(`profile generations that are to go: ${name}`, () => {
    test('are listed newest first, where there are more than need no telling', async () => {
      const { numbers, tidy } = await prepare();
      expect(numbers).toEqual(numbers.toSorted((a, b) => b - a));
      expect(numbers[0]).toBe(tidy.generation);
      const { probe } = present();
      expect((await probe({ retain: retain(numbers.length) })).generations).toEqual([]);
      expect((await probe()).generations).toEqual([]);
    });

    test('go, and nothing else does', async () => {
      const { numbers, tidy } = await prepare();
      const { probe, state } = present();
      const before = await state();
      const { generations } = await probe({ retain: retain(1), tidy });
      expect(generations.map(({ number }) => number)).toEqual(
        numbers.filter((number) => !tidy.generations.includes(number)),
      );
      expect(await state()).toEqual(before);
    });

    test('stay, if the profile is another than was thought', async () => {
      const { numbers, tidy } = await prepare();
      const { probe } = present();
      const late = { ...tidy, generation: tidy.generation - 1 };
      const { generations } = await probe({ retain: retain(1), tidy: late });
      expect(generations.map(({ number }) => number)).toEqual(numbers);
    });
  });
}
