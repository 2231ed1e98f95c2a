import { describe, expect, test } from 'vitest';
import type { ProbeReport } from '../../shared/domain/contact.ts';
import { done } from './host-outcomes.ts';
import type { Behaviour, HostBench } from './host-rig.ts';

/** What a host says when it is not as it was expected to be. */
export function hostDrift(name: string, present: () => HostBench): void {
  async function driftFrom(runs: Behaviour | undefined, boots: Behaviour | undefined) {
    const { probe, rig } = present();
    const path = (one: Behaviour | undefined) => (one === undefined ? undefined : rig.toplevels[one]);
    const report: ProbeReport = await probe({ expected: { runs: path(runs), boots: path(boots) } });
    return report.drift;
  }

  describe(`drift: ${name}`, () => {
    test('is not looked for where nothing differs from what is expected, or nothing is expected', async () => {
      const { probe } = present();
      expect(await driftFrom('one', 'one')).toBeUndefined();
      expect(await driftFrom(undefined, undefined)).toBeUndefined();
      expect((await probe()).drift).toBeUndefined();
    });

    test('of the profile is told with the generation that it has', async () => {
      const { state } = present();
      const [, , , generation] = await state();
      expect(await driftFrom('two', 'two')).toMatchObject({ kind: 'profile', generation });
      expect(await driftFrom('one', 'two')).toMatchObject({ kind: 'profile', generation });
    });

    test('of what runs alone is told as a switch, and after a boot as a boot', async () => {
      const { activate, deployment, probe, rig } = present();
      const tested = deployment('two', { mode: 'test' });
      expect(await activate(tested)).toMatchObject(done);
      await probe({ acknowledged: [tested.id] });
      expect(await driftFrom('one', 'one')).toMatchObject({ kind: 'switched' });
      expect(await driftFrom('two', undefined)).toBeUndefined();
      await rig.powerCut();
      expect(await driftFrom('two', 'one')).toMatchObject({ kind: 'booted' });
    });

    test('is not what a deployment did of which nobody has taken note yet', async () => {
      const { activate, deployment, probe } = present();
      const ours = deployment('two');
      expect(await activate(ours)).toMatchObject(done);
      expect(await driftFrom('one', 'one')).toBeUndefined();
      await probe({ acknowledged: [ours.id] });
      expect(await driftFrom('one', 'one')).toMatchObject({ kind: 'profile' });
    });
  });
}
