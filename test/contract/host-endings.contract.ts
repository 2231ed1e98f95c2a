import { describe, expect, test } from 'vitest';
import { done, endOf, judged, kindsOf, refused, succeeded } from './host-outcomes.ts';
import { nowhere, type HostBench } from './host-rig.ts';

/** How activations end on every host, by what the system does and by the mode. */
export function hostEndings(name: string, present: () => HostBench): void {
  describe(`switch-to-configuration ends with: ${name}`, () => {
    test.each([
      ['1 and nothing changed: failed, nothing rolled back', 'refused', 'failed', 'ACTIVATION_REFUSED', []],
      ['2: rolled back', 'breaks', 'rolled-back', 'ACTIVATION_FAILED', ['roll-back-started']],
      [
        '4 and a unit that newly failed: rolled back',
        'fails-unit',
        'rolled-back',
        'UNITS_FAILED',
        ['roll-back-started'],
      ],
    ] as const)('%s, with evidence', async (_, system, phase, code, events) => {
      const { activate, deployment, ended, probe, state } = present();
      const before = await state();
      const one = deployment(system);
      const activation = await activate(one);
      expect(judged(endOf(activation))).toEqual([phase, code, 'stalled', true]);
      expect(kindsOf(activation)).toEqual(events);
      expect(judged(await ended(one))).toEqual([phase, code, 'stalled', true]);
      expect(await state()).toEqual(before);
      expect((await probe()).failedUnits).toEqual([]);
    });

    test('4 and only what had failed before: it goes on', async () => {
      const { activate, deployment, probe, rig } = present();
      const mend = await rig.breakUnit();
      try {
        const { failedUnits } = await probe();
        expect(failedUnits).toHaveLength(1);
        expect(await activate(deployment('two'))).toMatchObject(done);
        expect((await probe()).failedUnits).toEqual(failedUnits);
      } finally {
        await mend();
      }
    });

    test('4 and only what had failed before, where every failed unit counts: rolled back', async () => {
      const { activate, deployment, rig, state } = present();
      const before = await state();
      const mend = await rig.breakUnit();
      try {
        const activation = await activate(deployment('two', { unitFailures: 'any' }));
        expect(judged(endOf(activation))).toEqual(['rolled-back', 'UNITS_FAILED', 'stalled', true]);
        expect(await state()).toEqual(before);
      } finally {
        await mend();
      }
    });

    test('4 and a unit that newly failed, where failed units are ignored: it goes on', async () => {
      const { activate, deployment, probe, state } = present();
      expect(await activate(deployment('fails-unit', { unitFailures: 'ignore' }))).toMatchObject(done);
      expect((await state()).slice(0, 3)).toEqual(['fails-unit', 'fails-unit', 'fails-unit']);
      expect((await probe()).failedUnits).toEqual(['fault.service']);
    });

    test('11, somebody else is switching: untouched, and to be tried again', async () => {
      const { activate, deployment, probe, rig, state } = present();
      const before = await state();
      const letGo = await rig.holdSwitchLock();
      try {
        expect((await probe()).locked).toBe(true);
        const activation = await activate(deployment('two'));
        expect(judged(endOf(activation))).toEqual(['failed', 'LOCK_HELD', 'transient', false]);
        expect(activation.events).toEqual([]);
      } finally {
        await letGo();
      }
      expect(await state()).toEqual(before);
      expect(await activate(deployment('two'))).toMatchObject(done);
    });

    test('100 in mode switch: it becomes the boot default, and runs after a reboot; so it is on the way back', async () => {
      const { activate, deployment, probe, rig, state } = present();
      const [, , , before = 0] = await state();
      const { bootId } = await probe();
      const activation = await activate(deployment('needs-reboot'));
      expect(judged(endOf(activation))).toEqual(['awaiting-reboot', undefined, undefined, false]);
      expect(activation.events).toEqual([]);
      expect(await state()).toEqual(['one', 'needs-reboot', 'needs-reboot', before + 1]);
      await rig.powerCut();
      expect((await state())[0]).toBe('needs-reboot');
      const report = await probe();
      expect(report.booted).toBe(rig.toplevels['needs-reboot']);
      expect(report.bootId).not.toBe(bootId);
      expect(endOf(await activate(deployment('one')))).toEqual({ kind: 'awaiting-reboot' });
      expect((await state()).slice(0, 3)).toEqual(['needs-reboot', 'one', 'one']);
    });

    test('100 in mode test: failed, nothing changed', async () => {
      const { activate, deployment, state } = present();
      const before = await state();
      const end = endOf(await activate(deployment('needs-reboot', { mode: 'test' })));
      expect(judged(end)).toEqual(['failed', 'ACTIVATION_REFUSED', 'stalled', true]);
      expect(await state()).toEqual(before);
    });

    test('nothing in its time: rolled back, with evidence', async () => {
      const { activate, deployment, state } = present();
      const before = await state();
      const activation = await activate(deployment('hangs', { timeouts: { activationMs: 4_000 } }));
      expect(judged(endOf(activation))).toEqual(['rolled-back', 'ACTIVATION_FAILED', 'stalled', true]);
      expect(kindsOf(activation)).toEqual(['roll-back-started']);
      expect(await state()).toEqual(before);
    });
  });

  describe(`a toplevel that is not confirmed: ${name}`, () => {
    const rolledBack = ['switched', 'roll-back-started'];

    test('because the host is cut off: it goes back by itself; evidence for the worker that tried, for no probe', async () => {
      const { activate, deployment, ended, state } = present();
      const before = await state();
      const one = deployment('cuts-network', { timeouts: { confirmMs: 6_000 } });
      const activation = await activate(one);
      expect(judged(endOf(activation))).toEqual(['rolled-back', 'CONFIRM_TIMEOUT', 'stalled', true]);
      expect(kindsOf(activation)).toEqual(rolledBack);
      expect(judged(await ended(one))).toEqual(['unconfirmed', 'UNCONFIRMED', 'transient', false]);
      expect(await state()).toEqual(before);
    });

    test('because it is not where it was said to be: the same', async () => {
      const { activate, deployment, rig, state } = present();
      const before = await state();
      const activation = await activate(
        deployment('two', { next: { ...rig.connection, port: nowhere }, timeouts: { confirmMs: 6_000 } }),
      );
      expect(judged(endOf(activation))).toEqual(['rolled-back', 'CONFIRM_TIMEOUT', 'stalled', true]);
      expect(kindsOf(activation)).toEqual(rolledBack);
      expect(await state()).toEqual(before);
    });

    test('because no worker is there: the host goes back by itself, without evidence', async () => {
      const { activate, deployment, ended, rig, state } = present();
      const before = await state();
      const one = deployment('two', {
        next: { ...rig.connection, port: nowhere },
        timeouts: { confirmMs: 3_000 },
      });
      const gone = new AbortController();
      await activate(one, { signal: gone.signal, onEvent: async () => gone.abort() });
      expect(judged(await ended(one))).toEqual(['unconfirmed', 'UNCONFIRMED', 'transient', false]);
      expect(await state()).toEqual(before);
    });

    test('because a check fails: it goes back, with evidence', async () => {
      const { activate, deployment, ended, state } = present();
      const before = await state();
      const one = deployment('unhealthy', { timeouts: { settleMs: 5_000 } });
      const activation = await activate(one);
      expect(judged(endOf(activation))).toEqual(['rolled-back', 'CHECK_FAILED', 'stalled', true]);
      expect(kindsOf(activation)).toEqual(rolledBack);
      expect(judged(await ended(one))).toEqual(['rolled-back', 'CHECK_FAILED', 'stalled', true]);
      expect(await state()).toEqual(before);
    });

    test('because the boot loader cannot be set: it goes back, with evidence, profile generation and all', async () => {
      const { activate, deployment, state } = present();
      const before = await state();
      const activation = await activate(deployment('boot-loader-fails'));
      expect(judged(endOf(activation))).toEqual(['rolled-back', 'BOOTLOADER_FAILED', 'stalled', true]);
      expect(kindsOf(activation)).toEqual(rolledBack);
      expect(await state()).toEqual(before);
    });

    test('and from which there is no way back: stuck', async () => {
      const { activate, deployment, ended } = present();
      const one = deployment('sticks');
      const activation = await activate(one);
      expect(judged(endOf(activation))).toEqual(['stuck', 'ROLL_BACK_FAILED', 'stalled', true]);
      expect(judged(await ended(one))).toEqual(['stuck', 'ROLL_BACK_FAILED', 'stalled', true]);
    });
  });

  describe(`the power fails inside the confirmation window: ${name}`, () => {
    test('the old system boots; the worker hears how it ended, and so does the next probe', async () => {
      const { activate, deployment, ended, rig, state } = present();
      const before = await state();
      const one = deployment('two', { next: { ...rig.connection, port: nowhere } });
      const activation = await activate(one, { onEvent: () => rig.powerCut() });
      expect(judged(endOf(activation))).toEqual(['unconfirmed', 'POWER_LOST', 'transient', false]);
      expect(kindsOf(activation)).toEqual(['switched']);
      expect(judged(await ended(one))).toEqual(['unconfirmed', 'POWER_LOST', 'transient', false]);
      expect(await state()).toEqual(before);
    });

    test('whoever comes first finds the host busy, and the record is brought to its end', async () => {
      const { activate, deployment, ended, rig } = present();
      const one = deployment('two', { next: { ...rig.connection, port: nowhere } });
      const gone = new AbortController();
      const cut = async (): Promise<void> => {
        gone.abort();
        await rig.powerCut();
      };
      await activate(one, { signal: gone.signal, onEvent: cut });
      expect(await activate(deployment('two'))).toMatchObject(refused('HOST_BUSY', { deployment: one.id }));
      expect(judged(await ended(one))).toEqual(['unconfirmed', 'POWER_LOST', 'transient', false]);
      expect(await activate(deployment('two'))).toMatchObject(done);
    });
  });

  describe(`other modes: ${name}`, () => {
    test('boot: it boots next, and nothing that runs changes', async () => {
      const { activate, deployment, rig, state } = present();
      const [, , , before = 0] = await state();
      const activation = await activate(deployment('two', { mode: 'boot' }));
      expect(endOf(activation)).toEqual({ kind: 'awaiting-reboot' });
      expect(activation.events).toEqual([]);
      expect(await state()).toEqual(['one', 'two', 'two', before + 1]);
      await rig.powerCut();
      expect((await state()).slice(0, 3)).toEqual(['two', 'two', 'two']);
    });

    test('boot, and the boot loader cannot be set: failed, everything as before', async () => {
      const { activate, deployment, state } = present();
      const before = await state();
      const end = endOf(await activate(deployment('boot-loader-fails', { mode: 'boot' })));
      expect(judged(end)).toEqual(['failed', 'BOOTLOADER_FAILED', 'stalled', true]);
      expect(await state()).toEqual(before);
    });

    test('test: it runs, and neither profile nor boot default change; the next boot ends it', async () => {
      const { activate, deployment, rig, state } = present();
      const [, , , before] = await state();
      const activation = await activate(deployment('two', { mode: 'test' }));
      expect(endOf(activation)).toEqual(succeeded);
      expect(kindsOf(activation)).toEqual(['switched']);
      expect(await state()).toEqual(['two', 'one', 'one', before]);
      await rig.powerCut();
      expect(await state()).toEqual(['one', 'one', 'one', before]);
    });

    test('dry-activate: nothing changes', async () => {
      const { activate, deployment, state } = present();
      const before = await state();
      const activation = await activate(deployment('two', { mode: 'dry-activate' }));
      expect(endOf(activation)).toEqual(succeeded);
      expect(activation.events).toEqual([]);
      expect(await state()).toEqual(before);
    });

    test('dry-activate that does not end: failed, and nothing changes either', async () => {
      const { activate, deployment, state } = present();
      const before = await state();
      const wish = { mode: 'dry-activate', timeouts: { activationMs: 2_000 } } as const;
      const activation = await activate(deployment('hangs', wish));
      expect(judged(endOf(activation))).toEqual(['failed', 'ACTIVATION_FAILED', 'stalled', true]);
      expect(activation.events).toEqual([]);
      expect(await state()).toEqual(before);
    });

    test('finalise: profile and boot default follow what runs, without a switch', async () => {
      const { activate, deployment, state } = present();
      expect(await activate(deployment('two', { mode: 'test' }))).toMatchObject(done);
      const [, , , before = 0] = await state();
      const activation = await activate(deployment('two', { action: 'finalise' }));
      expect(endOf(activation)).toEqual(succeeded);
      expect(activation.events).toEqual([]);
      expect(await state()).toEqual(['two', 'two', 'two', before + 1]);
    });

    test('finalise of what does not run: failed, nothing changed', async () => {
      const { activate, deployment, state } = present();
      const before = await state();
      const end = endOf(await activate(deployment('two', { action: 'finalise' })));
      expect(judged(end)).toEqual(['failed', 'DRIFTED', 'transient', false]);
      expect(await state()).toEqual(before);
    });
  });
}
