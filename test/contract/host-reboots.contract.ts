import { describe, expect, test } from 'vitest';
import type { Deployment } from '../../shared/domain/deployment.ts';
import { done, endOf, judged, kindsOf, refused } from './host-outcomes.ts';
import { nowhere, type Activation, type Behaviour, type HostBench, type Wish } from './host-rig.ts';

const way = (deadlineMs: number) => ({ deadlineMs, drain: undefined, undrain: undefined });

/** How a reboot goes about on every host: one way forward, and one back. */
export function hostReboots(name: string, present: () => HostBench): void {
  const reboot = (system: Behaviour, wish: Wish = {}): Deployment =>
    present().deployment(system, { action: 'reboot', reboot: way(60_000), ...wish });
  const setForBoot = async (system: Behaviour): Promise<void> => {
    const { activate, deployment } = present();
    expect(endOf(await activate(deployment(system, { mode: 'boot' })))).toEqual({ kind: 'awaiting-reboot' });
  };

  describe(`a reboot: ${name}`, () => {
    test('into what runs already on an older kernel is confirmed in the new boot', async () => {
      const { activate, deployment, probe, rig, state } = present();
      expect(await activate(deployment('other-kernel'))).toMatchObject(done);
      const before = await state();
      const { bootId, rebootNeeded } = await probe();
      expect(rebootNeeded).toEqual(['kernel', 'initrd', 'kernel-modules']);
      const activation = await activate(reboot('other-kernel'));
      expect(activation).toMatchObject(done);
      expect(kindsOf(activation)).toEqual(['switched']);
      const report = await probe();
      expect(report).toMatchObject({ booted: rig.toplevels['other-kernel'], rebootNeeded: [] });
      expect(report.bootId).not.toBe(bootId);
      expect(await state()).toEqual(before);
    });

    test('into what is set for the next boot: likewise', async () => {
      const { activate, state } = present();
      await setForBoot('two');
      const [, ...before] = await state();
      expect(await activate(reboot('two'))).toMatchObject(done);
      expect(await state()).toEqual(['two', ...before]);
    });

    test('into what is not the boot default: failed, and nothing was done', async () => {
      const { activate, probe, state } = present();
      const before = await state();
      const { bootId } = await probe();
      expect(judged(endOf(await activate(reboot('two'))))).toEqual(['failed', 'DRIFTED', 'transient', false]);
      expect(await state()).toEqual(before);
      expect((await probe()).bootId).toBe(bootId);
    });

    test('into what was booted, and asked for again: nothing is done', async () => {
      const { activate, probe } = present();
      await setForBoot('two');
      const one = reboot('two');
      expect(await activate(one)).toMatchObject(done);
      const { bootId } = await probe();
      expect(await activate(one)).toMatchObject(done);
      expect(await activate(reboot('two'))).toMatchObject(done);
      expect((await probe()).bootId).toBe(bootId);
    });

    test('into what is not healthy: back to what ran before, with evidence', async () => {
      const { activate, probe, state } = present();
      const before = await state();
      const { bootId } = await probe();
      await setForBoot('unhealthy');
      const activation = await activate(reboot('unhealthy', { timeouts: { settleMs: 5_000 } }));
      expect(judged(endOf(activation))).toEqual(['rolled-back', 'CHECK_FAILED', 'stalled', true]);
      expect(kindsOf(activation)).toEqual(['switched', 'roll-back-started']);
      expect(await state()).toEqual(before);
      expect((await probe()).bootId).not.toBe(bootId);
    });

    test('into what nobody gets through to: back by itself; evidence for the worker that tried, for no probe', async () => {
      const { activate, ended, state } = present();
      const before = await state();
      await setForBoot('cuts-network');
      const one = reboot('cuts-network', { reboot: way(15_000), timeouts: { confirmMs: 5_000 } });
      expect(judged(endOf(await activate(one)))).toEqual(['rolled-back', 'CONFIRM_TIMEOUT', 'stalled', true]);
      expect(judged(await ended(one))).toEqual(['unconfirmed', 'UNCONFIRMED', 'transient', false]);
      expect(await state()).toEqual(before);
    });

    test('whose power fails before it is confirmed: back, without evidence', async () => {
      const { activate, ended, rig, state } = present();
      const before = await state();
      await setForBoot('two');
      const one = reboot('two', { next: { ...rig.connection, port: nowhere } });
      const gone = new AbortController();
      await activate(one, { signal: gone.signal, onEvent: async () => gone.abort() });
      await rig.powerCut();
      expect(judged(await ended(one))).toEqual(['unconfirmed', 'POWER_LOST', 'transient', false]);
      expect(await state()).toEqual(before);
    });

    test('that awaits its acknowledgement lets nothing else start', async () => {
      const { activate, deployment, rig } = present();
      await setForBoot('two');
      const one = reboot('two', {
        next: { ...rig.connection, port: nowhere },
        reboot: way(15_000),
        timeouts: { confirmMs: 5_000 },
      });
      let other: Activation | undefined;
      await activate(one, {
        async onEvent({ kind }) {
          if (kind === 'switched') other = await activate(deployment('one'));
        },
      });
      expect(other).toMatchObject(refused('HOST_BUSY', { deployment: one.id }));
    });
  });
}
