import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { TestHost } from '../../hosts/test-host.ts';
import { pointers, shell } from '../hosts/support.ts';
import { type Workbench, guardHost } from './support.ts';

const files = {
  good: '{ roles, ... }: { imports = [ (roles.motd "good") ]; }',
  better: '{ roles, ... }: { imports = [ (roles.motd "better") ]; }',
  noBootLoader: '{ roles, ... }: { imports = [ (roles.motd "none") ]; system.bootLoaderFails = true; }',
};

let host: TestHost;
let bench: Workbench;
let systems: typeof files;

/** Profile, all of its generations, what boots and what else could be booted, as the host's files have them. */
const lasting = (): Promise<string> =>
  shell(
    host,
    'cd /nix/var/nix/profiles; for l in system system-*-link; do echo "$l $(readlink $l)"; done; cat /boot/default /boot/menu',
  );

beforeAll(async () => {
  const made = await guardHost(files);
  ({ host, bench, systems } = made);
  return made.close;
});

/** The host runs a system as a test, and neither its profile nor its boot default know of it. */
async function tested(system: string): Promise<string> {
  const { outcome } = await bench.activate(system, { mode: 'test' });
  expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
  return lasting();
}

beforeEach(() => bench.mustSucceed(systems.good));

describe('making lasting what runs already', () => {
  it('sets profile and boot default, and starts nothing', async () => {
    await tested(systems.better);
    const { outcome, events } = await bench.activate(systems.better, { action: 'finalise' });
    expect({ outcome, events }).toEqual({
      outcome: { kind: 'ended', end: { kind: 'succeeded' } },
      events: [],
    });
    expect(await pointers(host)).toMatchObject({
      current: systems.better,
      profile: systems.better,
      bootDefault: systems.better,
    });
  });

  it('leaves all that boots just as it was when the boot loader cannot be set', async () => {
    const before = await tested(systems.noBootLoader);
    const { outcome } = await bench.activate(systems.noBootLoader, { action: 'finalise' });
    expect(outcome).toMatchObject({ end: { kind: 'failed', failure: { code: 'BOOTLOADER_FAILED' } } });
    expect(await lasting()).toBe(before);
    expect((await pointers(host)).current).toBe(systems.noBootLoader);
  });

  it('does so too where the profile was not at its newest generation', async () => {
    await bench.mustSucceed(systems.better);
    await bench.mustSucceed(systems.good);
    await shell(host, 'nix-env -p /nix/var/nix/profiles/system --rollback');
    await shell(host, `${systems.better}/bin/switch-to-configuration boot`);
    const before = await tested(systems.noBootLoader);
    expect(await pointers(host)).toMatchObject({ profile: systems.better, bootDefault: systems.better });
    const { outcome } = await bench.activate(systems.noBootLoader, { action: 'finalise' });
    expect(outcome).toMatchObject({ end: { kind: 'failed', failure: { code: 'BOOTLOADER_FAILED' } } });
    expect(await lasting()).toBe(before);
  });

  it('leaves all that boots just as it was when somebody else is switching all the time', async () => {
    const before = await tested(systems.better);
    await shell(
      host,
      'systemd-run -q --unit=holder flock /run/nixos/switch-to-configuration.lock sleep infinity',
    );
    await shell(host, 'while flock -n /run/nixos/switch-to-configuration.lock true; do :; done');
    const { outcome } = await bench.activate(systems.better, {
      action: 'finalise',
      timeouts: { activationMs: 2_000 },
    });
    await shell(host, 'systemctl stop holder');
    expect(outcome).toMatchObject({ end: { kind: 'failed', failure: { code: 'LOCK_HELD' } } });
    expect(await lasting()).toBe(before);
  });

  it('is taken up again where the guard dies between profile and boot default', async () => {
    await tested(systems.better);
    await bench.fault('profile-set');
    const { outcome } = await bench.activate(systems.better, { action: 'finalise' });
    expect(await shell(host, 'ls /nix/var/varve/faults')).toBe('');
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    expect(await pointers(host)).toMatchObject({ profile: systems.better, bootDefault: systems.better });
  });
});
