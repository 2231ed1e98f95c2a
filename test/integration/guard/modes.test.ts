import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { TestHost } from '../../hosts/test-host.ts';
import { pointers, shell } from '../hosts/support.ts';
import { type Workbench, guardHost } from './support.ts';

const files = {
  old: '{ roles, ... }: { imports = [ (roles.motd "old") ]; system.switchInhibitors."boot.kernel" = "6.6"; }',
  new: `{ roles, ... }: { imports = [ (roles.motd "new") ]; system.switchInhibitors."boot.kernel" = "6.6";
    activation.mark = "touch /run/marker"; }`,
  inhibited: `{ roles, ... }: { imports = [ (roles.motd "new") ]; system.switchInhibitors."boot.kernel" = "6.7";
    activation.mark = "touch /run/marker"; }`,
};

let host: TestHost;
let bench: Workbench;
let systems: typeof files;

const marker = (): Promise<string> => shell(host, 'ls /run/marker 2>/dev/null || echo none');
const awaiting = { kind: 'ended', end: { kind: 'awaiting-reboot' } };
const done = { kind: 'ended', end: { kind: 'succeeded' } };

beforeAll(async () => {
  const made = await guardHost(files);
  ({ host, bench, systems } = made);
  return made.close;
});
beforeEach(async () => {
  await shell(host, `NIXOS_NO_CHECK=1 ${systems.old}/bin/switch-to-configuration test 2>/dev/null`);
  await bench.mustSucceed(systems.old);
  await shell(host, 'rm -f /run/marker');
});

describe('modes', () => {
  it('boot, then switch: first it only boots it, then it runs it, in one profile generation', async () => {
    const { outcome, previous } = await bench.activate(systems.new, { mode: 'boot' });
    expect([outcome, previous]).toEqual([awaiting, systems.old]);
    const persistent = { profile: systems.new, bootDefault: systems.new };
    expect(await pointers(host)).toMatchObject({ current: systems.old, ...persistent });
    expect(await marker()).toBe('none');
    const generation = await shell(host, 'readlink /nix/var/nix/profiles/system');
    expect((await bench.activate(systems.new)).outcome).toEqual(done);
    expect(await pointers(host)).toMatchObject({ current: systems.new, ...persistent });
    expect(await marker()).toBe('/run/marker');
    expect(await shell(host, 'readlink /nix/var/nix/profiles/system')).toBe(generation);
  });

  it('switch to what the running system inhibits: it is set for the boot, and the log says why', async () => {
    const { outcome, log } = await bench.activate(systems.inhibited);
    expect(outcome).toEqual(awaiting);
    expect(log.join('\n')).toContain('differ in boot.kernel, which only a reboot replaces');
    expect(await pointers(host)).toMatchObject({
      current: systems.old,
      profile: systems.inhibited,
      bootDefault: systems.inhibited,
    });
    expect(await marker()).toBe('none');
  });

  it('test of what the running system inhibits: refused, and nothing is touched', async () => {
    const before = await pointers(host);
    const { outcome } = await bench.activate(systems.inhibited, { mode: 'test' });
    expect(outcome).toMatchObject({
      kind: 'ended',
      end: {
        kind: 'failed',
        failure: { code: 'ACTIVATION_REFUSED', message: expect.stringContaining('needs a reboot') },
      },
    });
    expect(await pointers(host)).toEqual(before);
    expect(await marker()).toBe('none');
  });

  it('what a person has forced past its inhibitors is made lasting like every other system', async () => {
    await shell(host, `NIXOS_NO_CHECK=1 ${systems.inhibited}/bin/switch-to-configuration test 2>/dev/null`);
    expect(await marker()).toBe('/run/marker');
    expect((await bench.activate(systems.inhibited)).outcome).toEqual(done);
    expect(await pointers(host)).toMatchObject({
      current: systems.inhibited,
      bootDefault: systems.inhibited,
    });
  });

  it('dry-activate: the log says what would happen, and nothing does', async () => {
    const before = await pointers(host);
    const { outcome, log } = await bench.activate(systems.new, { mode: 'dry-activate' });
    expect(outcome).toEqual(done);
    expect(log.join('\n')).toContain('would activate the configuration');
    expect(await pointers(host)).toEqual(before);
    expect(await marker()).toBe('none');
  });
});
