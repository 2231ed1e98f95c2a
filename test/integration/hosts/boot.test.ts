import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { setProfile, switchTo } from '../../hosts/by-hand.ts';
import type { Lab } from '../../hosts/lab.ts';
import { createLab } from '../../hosts/lab.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { ssh } from '../../hosts/test-host.ts';
import { eventually } from '../../support/eventually.ts';
import { pointers, shell, systemsOn } from './support.ts';

const files = {
  old: '{ roles, ... }: { imports = [ (roles.web { greeter = "1.0"; }) (roles.motd "old") ]; }',
  next: '{ roles, ... }: { imports = [ (roles.batch { greeter = "2.0"; }) (roles.motd "next") ]; }',
  noNetwork: '{ faults.network = true; }',
};

let lab: Lab;
let host: TestHost;
let systems: typeof files;

beforeAll(async () => {
  lab = await createLab({ hosts: ['h1'] });
  host = lab.host('h1');
});
afterAll(() => lab.close());

describe('a new host', () => {
  it('runs genesis as profile generation 1, booted from the boot default', async () => {
    const { genesis } = lab;
    expect(await pointers(host)).toEqual({
      current: genesis,
      booted: genesis,
      profile: genesis,
      bootDefault: genesis,
    });
    expect(await shell(host, 'readlink /nix/var/nix/profiles/system')).toBe('system-1-link');
    expect(await shell(host, 'systemctl is-system-running --wait')).toBe('running');
  });

  it('has the tools of a NixOS host where a NixOS host has them, and only there for SSH sessions', async () => {
    const tools =
      'sh cat mv ln readlink mkdir rm sync sleep date stat df cut sed awk grep sort tr head tail wc timeout id uname touch ' +
      'chmod printf dd od flock systemctl systemd-run systemd-inhibit nix-env nix-store nix-daemon nix setsid ip ps zstd';
    expect(
      await ssh(host, [
        `for tool in ${tools}; do [ -x /run/current-system/sw/bin/$tool ] || echo $tool; done`,
      ]),
    ).toBe('');
    expect((await ssh(host, ['echo $PATH'])).trim()).toBe('/run/current-system/sw/bin');
    const dangling =
      'cd /run/current-system/sw/bin/. && for tool in *; do [ -e "$tool" ] || echo "$tool"; done';
    expect(await shell(host, dangling)).toBe('');
  });

  it('has a machine id and a host key of its own', async () => {
    const other = await lab.addHost('h2');
    await other.boot();
    expect(await shell(other, 'cat /etc/machine-id')).not.toBe(await shell(host, 'cat /etc/machine-id'));
    expect(other.hostKey).not.toBe(host.hostKey);
    expect(await other.bootId()).not.toBe(await host.bootId());
    await other.powerOff();
    expect(other.isRunning()).toBe(false);
  });
});

describe('booting', () => {
  beforeAll(async () => {
    systems = await systemsOn(lab, host, files);
    await setProfile(host, systems.old);
    await switchTo(host, systems.old, 'switch');
  });

  it('takes the boot default after a power cut, not the profile and not what ran', async () => {
    const bootId = await host.bootId();
    await setProfile(host, systems.next);
    expect(await switchTo(host, systems.next, 'test')).toMatchObject({ code: 0 });
    await host.powerCut();
    expect(host.isRunning()).toBe(false);
    await host.boot();
    expect(await pointers(host)).toEqual({
      current: systems.old,
      booted: systems.old,
      profile: systems.next,
      bootDefault: systems.old,
    });
    expect(await host.bootId()).not.toBe(bootId);
    // Not a single unit of the system that ran before the cut was started.
    expect(await shell(host, 'systemctl is-active web.service; systemctl is-active batch.timer')).toBe(
      'active\ninactive',
    );
    expect(await shell(host, 'cat /etc/motd; journalctl -b -o cat -u batch.service')).toBe('old');
    expect(await shell(host, 'id batch 2>/dev/null || echo none')).toBe('none');
  });

  it('takes the new boot default after `boot` and a reboot that the host asks for itself', async () => {
    const bootId = await host.bootId();
    await switchTo(host, systems.next, 'boot');
    expect((await pointers(host)).current).toBe(systems.old);
    await host.exec(['systemctl', 'reboot']);
    await eventually(async () => (await host.bootId()) !== bootId, {
      what: 'the next boot',
      deadlineMs: 90_000,
    });
    await host.waitForSsh();
    expect(await pointers(host)).toMatchObject({ current: systems.next, booted: systems.next });
    expect(await shell(host, 'systemctl is-active batch.timer; cat /etc/motd')).toBe('active\nnext');
  });

  it('has the network up again when the system without it was not the boot default', async () => {
    await switchTo(host, systems.old, 'switch');
    await switchTo(host, systems.noNetwork, 'test');
    await host.powerCut();
    await host.boot();
    expect((await pointers(host)).current).toBe(systems.old);
  });
});

describe('faults from outside', () => {
  it('freezes and thaws all of a host', async () => {
    await host.freeze();
    await expect(host.waitForSsh(22, 700)).rejects.toThrow('not within');
    await host.thaw();
    await host.waitForSsh();
  });

  it('cuts the power of a frozen host', async () => {
    await host.freeze();
    await host.powerCut();
    await host.boot();
    expect(await shell(host, 'systemctl is-system-running --wait')).toBe('running');
  });

  it('pulls the network cable while the host goes on', async () => {
    await host.linkDown();
    await expect(host.waitForSsh(22, 700)).rejects.toThrow('not within');
    expect(await shell(host, 'systemctl is-active sshd.service')).toBe('active');
    await host.linkUp();
    await host.waitForSsh();
  });

  it('gives services no PATH on a host that is asked to be like that', async () => {
    const strict = await createLab({ hosts: ['h1'], emptyServicePath: true });
    try {
      const bare = strict.host('h1');
      await shell(bare, "systemd-run --wait --quiet /bin/sh -c 'echo $PATH > /var/path'");
      expect(await shell(bare, 'cat /var/path')).toBe('/var/empty');
      const again = `systemd-run --wait --quiet ${strict.genesis}/bin/switch-to-configuration switch; echo $?`;
      expect(await shell(bare, again)).toBe('0');
    } finally {
      await strict.close();
    }
  });
});

describe('the store of a host', () => {
  it('is full soon on a host that is asked to be like that', async () => {
    const small = await createLab({ hosts: ['h1'], storeMegabytes: 24 });
    try {
      const cramped = small.host('h1');
      await shell(
        cramped,
        'dd if=/dev/zero of=/nix/filler bs=1M count=100 2>/dev/null; df --output=avail /nix | tail -1',
      );
      await expect(systemsOn(small, cramped, files)).rejects.toThrow(
        /No space left on device|disk I\/O error/,
      );
      await shell(cramped, 'rm /nix/filler');
      expect((await systemsOn(small, cramped, files)).old).toContain('nixos-system-old');
    } finally {
      await small.close();
    }
  });

  it('collects what nothing roots, and keeps current, booted and profile systems', async () => {
    await setProfile(host, systems.next);
    await switchTo(host, systems.old, 'test');
    const rooted = await pointers(host);
    await host.exec(['nix-env', '--profile', '/nix/var/nix/profiles/system', '--delete-generations', 'old']);
    await host.exec(['nix-store', '--gc']);
    for (const path of [rooted.current, rooted.booted, rooted.profile]) {
      expect((await host.exec(['nix-store', '--check-validity', path])).code).toBe(0);
    }
    expect((await host.exec(['nix-store', '--check-validity', systems.noNetwork])).code).not.toBe(0);
    expect(await host.exec(['nix-store', '--verify', '--check-contents'])).toMatchObject({ code: 0 });
    await host.powerCut();
    await host.boot();
  });
});
