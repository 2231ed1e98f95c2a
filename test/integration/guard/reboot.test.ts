import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { HostRecord, ProbeReport } from '../../../shared/domain/contact.ts';
import type { DeploymentId } from '../../../shared/domain/names.ts';
import type { Hook } from '../../../shared/domain/policy.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { eventually } from '../../support/eventually.ts';
import { pointers, shell } from '../hosts/support.ts';
import { type Activation, type Wish, type Workbench, guardHost } from './support.ts';

const kernel = (text = ''): string => `{ roles, ... }: { imports = [ (roles.motd "new") ];
  system.kernel = "6.6.2"; ${text} }`;

const files = {
  old: '{ roles, ... }: { imports = [ (roles.motd "old") ]; }',
  good: kernel(),
  sick: kernel('faults.unit = "fails";'),
  deaf: kernel('faults.sshd = "stopped";'),
  // Only its boot does not end.
  hung: kernel('activation.hang = "if [ \\"$NIXOS_ACTION\\" = boot ]; then sleep infinity; fi";'),
};

let host: TestHost;
let bench: Workbench;
let systems: typeof files;

const report = async (acknowledged: readonly DeploymentId[] = []): Promise<ProbeReport> => {
  const contact = await bench.probe({ acknowledged });
  if (contact.kind !== 'reached') throw new Error(contact.failure.message);
  return contact.report;
};

const append = (text: string): Hook => ({
  kind: 'command',
  command: ['sh', '-c', `echo ${text} $(cat /proc/sys/kernel/random/boot_id) >> /root/hooks`],
  timeoutMs: 5_000,
});

const reboot = (toplevel: string, wish: Wish = {}, signal?: AbortSignal): Promise<Activation> =>
  bench.activate(
    toplevel,
    { action: 'reboot', reboot: { deadlineMs: 60_000, drain: undefined, undrain: undefined }, ...wish },
    signal,
  );

/** Sets a system for the next boot only, as mode `boot` does. */
async function setForBoot(toplevel: string): Promise<void> {
  const { outcome } = await bench.activate(toplevel, { mode: 'boot' });
  expect(outcome).toEqual({ kind: 'ended', end: { kind: 'awaiting-reboot' } });
}

const everywhere = (toplevel: string) => ({
  current: toplevel,
  booted: toplevel,
  profile: toplevel,
  bootDefault: toplevel,
});

const recordsEnded = async (): Promise<readonly HostRecord[]> => {
  const { records } = await report();
  if (records.some((record) => record.end === undefined)) throw new Error('a record is open');
  return records;
};

beforeAll(async () => {
  const made = await guardHost(files);
  ({ host, bench, systems } = made);
  return made.close;
});

beforeEach(async () => {
  await bench.mustSucceed(systems.old);
  const { booted, records } = await report();
  await report(records.map((record) => record.deployment));
  if (booted !== systems.old) await reboot(systems.old);
  await shell(host, 'rm -f /root/hooks');
});

/** Nothing is left for the next boot to do. */
const leftForNextBoot = (): Promise<string> =>
  shell(host, 'ls /boot/once 2>/dev/null; find /etc/systemd/system.control -name "varve-*" 2>/dev/null; :');

describe('a host that runs what is wanted on an older kernel', () => {
  it('is drained, rebooted, confirmed in the new boot, and undrained', async () => {
    await bench.mustSucceed(systems.good);
    expect((await report()).rebootNeeded).toEqual(['kernel', 'initrd', 'kernel-modules']);
    const before = await host.bootId();
    const { outcome, events } = await reboot(systems.good, {
      reboot: { deadlineMs: 60_000, drain: append('drained'), undrain: append('undrained') },
    });
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    expect(events).toEqual([{ kind: 'switched', previous: systems.old }]);
    expect(await pointers(host)).toEqual(everywhere(systems.good));
    const after = await host.bootId();
    expect(after).not.toBe(before);
    expect(await shell(host, 'cat /root/hooks')).toBe(`drained ${before}\nundrained ${after}`);
    expect((await report()).rebootNeeded).toEqual([]);
    expect(await leftForNextBoot()).toBe('');
  });

  it('is left alone when it cannot be drained: nothing was started', async () => {
    await bench.mustSucceed(systems.good);
    const before = await host.bootId();
    const { records } = await report();
    const drain: Hook = { kind: 'command', command: ['sh', '-c', 'echo busy; exit 3'], timeoutMs: 5_000 };
    const { outcome } = await reboot(systems.good, {
      reboot: { deadlineMs: 60_000, drain, undrain: undefined },
    });
    expect(outcome).toMatchObject({
      kind: 'refused',
      failure: { code: 'NOT_READY', disposition: 'transient', message: expect.stringContaining('busy') },
    });
    expect(await host.bootId()).toBe(before);
    expect((await report()).records).toEqual(records);
  });

  it('is confirmed although it cannot be undrained, which is told', async () => {
    await bench.mustSucceed(systems.good);
    const undrain: Hook = { kind: 'command', command: ['false'], timeoutMs: 5_000 };
    const { outcome } = await reboot(systems.good, {
      reboot: { deadlineMs: 60_000, drain: undefined, undrain },
    });
    expect(outcome).toMatchObject({ kind: 'ended', end: { kind: 'succeeded', flaw: { code: 'NOT_READY' } } });
    expect(await pointers(host)).toEqual(everywhere(systems.good));
  });

  it('is rebooted once for a deployment, however often that is asked for', async () => {
    await setForBoot(systems.good);
    const one = bench.deployment(systems.good, {
      action: 'reboot',
      reboot: { deadlineMs: 60_000, drain: append('drained'), undrain: undefined },
    });
    const context = { signal: new AbortController().signal, log() {}, progress() {} };
    const ended = { kind: 'ended', end: { kind: 'succeeded' } };
    expect(await bench.steps.activate(one, context, async () => {})).toMatchObject(ended);
    const bootId = await host.bootId();
    expect(await bench.steps.activate(one, context, async () => {})).toMatchObject(ended);
    expect(await host.bootId()).toBe(bootId);
    expect(await shell(host, 'wc -l < /root/hooks')).toBe('1');
  });
});

describe('a host that does not come back healthy', () => {
  const judge = (code: string) => ({
    kind: 'ended',
    end: { kind: 'rolled-back', evidence: true, failure: { code, disposition: 'stalled' } },
  });

  it('because a unit fails: it is booted into the system before, once', async () => {
    await setForBoot(systems.sick);
    const before = await host.bootId();
    const { outcome, events } = await reboot(systems.sick);
    expect(outcome).toMatchObject(judge('CHECK_FAILED'));
    expect(events.map(({ kind }) => kind)).toEqual(['switched', 'roll-back-started']);
    expect(await pointers(host)).toEqual(everywhere(systems.old));
    expect(await host.bootId()).not.toBe(before);
    expect((await report()).failedUnits).toEqual([]);
    expect(await leftForNextBoot()).toBe('');
  });

  it('because nobody gets through to it: it goes back by itself, and whoever tried all the time has evidence', async () => {
    await setForBoot(systems.deaf);
    const { outcome } = await reboot(systems.deaf, {
      reboot: { deadlineMs: 15_000, drain: undefined, undrain: append('undrained') },
      timeouts: { confirmMs: 5_000 },
    });
    expect(outcome).toMatchObject(judge('CONFIRM_TIMEOUT'));
    expect(await pointers(host)).toEqual(everywhere(systems.old));
    expect(await shell(host, 'cat /root/hooks')).toContain('undrained');
    expect(await leftForNextBoot()).toBe('');
  });

  it('because it hangs: whoever switches it off and on finds it in the system before', async () => {
    await setForBoot(systems.hung);
    const gone = new AbortController();
    const going = reboot(systems.hung, {}, gone.signal);
    // A host that is going down may take its namespaces along while they are being entered: asked again, not waited for.
    const booted = async (): Promise<string> =>
      (await host.exec(['readlink', '/run/booted-system'], { timeout: 5_000 })).stdout.trim();
    await eventually(async () => (await booted()) === systems.hung, {
      deadlineMs: 60_000,
      what: 'the new system being booted',
    });
    gone.abort();
    expect((await going).outcome).toMatchObject({ kind: 'unknown' });
    await host.powerCut();
    await host.boot();
    const records = await eventually(recordsEnded, { deadlineMs: 30_000, what: 'the end' });
    expect(records.at(-1)?.end).toMatchObject({
      kind: 'rolled-back',
      evidence: true,
      failure: { code: 'REBOOT_FAILED', disposition: 'stalled' },
    });
    expect(await pointers(host)).toEqual(everywhere(systems.old));
    expect(await leftForNextBoot()).toBe('');
  });

  it('because its power fails before it is confirmed: back, and nothing is held against the system', async () => {
    await setForBoot(systems.good);
    const gone = new AbortController();
    const going = reboot(
      systems.good,
      { next: { ...bench.connection, port: 4 }, onEvent: async () => gone.abort() },
      gone.signal,
    );
    expect((await going).outcome).toMatchObject({ kind: 'unknown' });
    await host.powerCut();
    await host.boot();
    const records = await eventually(recordsEnded, { deadlineMs: 30_000, what: 'the end' });
    expect(records.at(-1)?.end).toMatchObject({
      kind: 'rolled-back',
      evidence: false,
      failure: { code: 'POWER_LOST' },
    });
    expect(await pointers(host)).toEqual(everywhere(systems.old));
  });
});

describe('a boot loader that cannot start a system just once', () => {
  it('is rebooted all the same; the log says that there is no way back should it hang', async () => {
    await shell(host, 'rm /boot/features');
    try {
      await setForBoot(systems.good);
      const { outcome, log } = await reboot(systems.good);
      expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
      expect(log.join('\n')).toContain('this boot loader cannot start a system just once');
      expect(await pointers(host)).toEqual(everywhere(systems.good));
      await setForBoot(systems.sick);
      expect((await reboot(systems.sick)).outcome).toMatchObject({
        kind: 'ended',
        end: { kind: 'rolled-back', evidence: true },
      });
      expect(await pointers(host)).toEqual(everywhere(systems.good));
    } finally {
      await shell(host, 'echo one-shot > /boot/features');
    }
  });
});
