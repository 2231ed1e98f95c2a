import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { setProfile, switchTo } from '../../hosts/by-hand.ts';
import type { Lab } from '../../hosts/lab.ts';
import { createLab } from '../../hosts/lab.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { ssh } from '../../hosts/test-host.ts';
import { eventually } from '../../support/eventually.ts';
import { pointers, shell, systemsOn } from './support.ts';

const broken = (text: string): string => `{ roles, ... }: {
  imports = [ (roles.web { greeter = "2.0"; }) ];
  ${text}
}`;

const files = {
  good: `{ roles, ... }: {
    imports = [ (roles.web { greeter = "1.0"; }) ];
    system.switchInhibitors = { "boot.kernel" = "6.6"; "old" = "x"; };
  }`,
  refused: broken('faults.switch = 1;'),
  activationFails: broken('faults.switch = 2;'),
  unitFails: broken('faults.switch = 4;'),
  locked: broken('faults.switch = 11;'),
  otherInit: broken('faults.switch = 100;'),
  inhibited: broken('system.switchInhibitors = { "boot.kernel" = "6.7"; "new" = "x"; };'),
  panics: broken('faults.switch = 101;'),
  killed: broken('faults.switch = "killed";'),
  hangs: broken('faults.switch = "hangs";'),
  noBootLoader: broken('system.bootLoaderFails = true;'),
  noSshd: broken('faults.sshd = "stopped";'),
  badSshd: broken('faults.sshd = "misconfigured";'),
  noNetwork: broken('faults.network = true;'),
  loops: broken('faults.unit = "loops";'),
  failsLater: broken('faults.unit = "fails-later";'),
  bounces: broken('faults.sshdBounce = 2;'),
  otherPort: broken('sshd.port = 2222;'),
  otherHostKey: broken('sshd.hostKey = "/etc/ssh/ssh_host_next_ed25519_key";'),
};

let lab: Lab;
let host: TestHost;
let systems: typeof files & { otherUser: string };

beforeAll(async () => {
  lab = await createLab({ hosts: ['h1'] });
  host = lab.host('h1');
  const otherUser = `{ roles, ... }: {
    imports = [ (roles.sshUser { name = "deploy"; uid = 0; key = "${lab.publicKey}"; }) ];
  }`;
  systems = await systemsOn(lab, host, { ...files, otherUser });
});
afterAll(() => lab.close());

const good = async (): Promise<void> => {
  const result = await switchTo(host, systems.good, 'switch');
  expect(result).toMatchObject({ code: 0 });
};

describe('a switch that goes well', () => {
  beforeEach(good);

  it('answers over HTTP from the unit of the new system, and is not degraded', async () => {
    const answer = await eventually(async () => (await fetch(`http://${host.address}:8080/`)).text(), {
      what: 'the web service',
      deadlineMs: 10_000,
    });
    expect(answer).toContain('greeter 1.0');
    expect(await shell(host, 'systemctl is-system-running')).toBe('running');
  });

  it('restarts nothing when the system stays the same', async () => {
    const before = await shell(host, 'systemctl show -p MainPID web.service sshd.service');
    await good();
    expect(await shell(host, 'systemctl show -p MainPID web.service sshd.service')).toBe(before);
  });

  it('keeps the lock to itself: what it started and left behind does not hold it', async () => {
    const unit = '--collect --unit=hanging --property=KillMode=process --property=SendSIGKILL=no';
    await shell(host, `systemd-run ${unit} ${systems.hangs}/bin/switch-to-configuration test`);
    const child = 'pgrep -fx "sleep 3600"';
    await eventually(async () => (await shell(host, child)) !== '', {
      what: 'the switch and its child',
      deadlineMs: 20_000,
    });
    expect(await switchTo(host, systems.good, 'test')).toMatchObject({ code: 11 });
    await shell(host, 'systemctl kill --kill-whom=main --signal=SIGKILL hanging.service');
    await eventually(async () => (await shell(host, 'systemctl is-active hanging.service')) !== 'active', {
      what: 'the end of the switch',
      deadlineMs: 10_000,
    });
    expect(await shell(host, child)).not.toBe('');
    await good();
    await shell(host, `kill $(${child})`);
  });

  it('changes only what the action says', async () => {
    const before = await pointers(host);
    expect(await switchTo(host, systems.otherPort, 'check')).toMatchObject({ code: 0 });
    expect(await switchTo(host, systems.otherPort, 'dry-activate')).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/would stop .*web\.service[^]*would restart .*sshd\.service/),
    });
    expect(await pointers(host)).toEqual(before);
    await switchTo(host, systems.otherPort, 'boot');
    expect(await pointers(host)).toEqual({ ...before, bootDefault: systems.otherPort });
    await switchTo(host, systems.good, 'switch');
    await switchTo(host, systems.otherPort, 'test');
    expect(await pointers(host)).toEqual({ ...before, current: systems.otherPort });
  });

  it('knows no other action, and does nothing on a machine that is not NixOS', async () => {
    const unknown = await host.exec([`${systems.good}/bin/switch-to-configuration`, 'install']);
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('Usage:') });
    await shell(host, 'rm /etc/NIXOS');
    expect(await switchTo(host, systems.otherPort, 'switch')).toMatchObject({ code: 1 });
    expect((await pointers(host)).current).toBe(systems.good);
    await shell(host, 'touch /etc/NIXOS');
  });

  it('moves sshd to another port and back, without ending sessions', async () => {
    // Over a session, which sees the end of the switch.
    const session = ssh(host, [`${systems.otherPort}/bin/switch-to-configuration switch && echo done`]);
    expect(await session).toBe('done\n');
    await host.waitForSsh(2222);
    expect(await ssh(host, ['readlink', '/run/current-system'], { port: 2222 })).toContain(systems.otherPort);
    await good();
    await host.waitForSsh(22);
  });

  it('lets another deploy user in, who may do all that root may, and no longer after the way back', async () => {
    await switchTo(host, systems.otherUser, 'switch');
    expect(await ssh(host, ['id', '-u'], { user: 'deploy' })).toBe('0\n');
    await good();
    await expect(ssh(host, ['id', '-u'], { user: 'deploy' })).rejects.toThrow('Permission denied');
  });

  it('shows another host key', async () => {
    await switchTo(host, systems.otherHostKey, 'switch');
    const shown = await shell(
      host,
      'for i in 1 2 3 4 5; do ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null && break; done',
    );
    expect(shown).toContain(host.nextHostKey);
    await good();
  });
});

describe('a switch that does not go well', () => {
  beforeEach(good);

  it('exits 1 before anything changed when a check refuses it', async () => {
    const before = await pointers(host);
    expect(await switchTo(host, systems.refused, 'check')).toMatchObject({ code: 1 });
    expect(await switchTo(host, systems.refused, 'switch')).toMatchObject({ code: 1 });
    expect(await pointers(host)).toEqual(before);
    expect(await shell(host, 'cat /etc/passwd /etc/static/systemd/system/web.service')).not.toContain(
      'greeter-2.0',
    );
  });

  it('exits 1 before anything changed when something inhibits a switch, but not a boot', async () => {
    const before = await pointers(host);
    for (const action of ['switch', 'test'] as const) {
      expect(await switchTo(host, systems.inhibited, action)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('inhibited by boot.kernel :'),
      });
    }
    expect(await pointers(host)).toEqual(before);
    expect(await switchTo(host, systems.inhibited, 'boot')).toMatchObject({ code: 0 });
  });

  it('exits 1 with the old boot default when the boot loader fails', async () => {
    const before = await pointers(host);
    expect(await switchTo(host, systems.noBootLoader, 'boot')).toMatchObject({ code: 1 });
    expect(await switchTo(host, systems.noBootLoader, 'switch')).toMatchObject({ code: 1 });
    expect(await pointers(host)).toEqual(before);
    expect(await switchTo(host, systems.noBootLoader, 'test')).toMatchObject({ code: 0 });
  });

  it('exits 2 with the new system current when activation fails', async () => {
    expect(await switchTo(host, systems.activationFails, 'test')).toMatchObject({ code: 2 });
    expect((await pointers(host)).current).toBe(systems.activationFails);
  });

  it('exits 4 with the new system current when a unit fails, and forgets the failure on the way back', async () => {
    expect(await switchTo(host, systems.unitFails, 'test')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('the following units failed: fault.service'),
    });
    expect((await pointers(host)).current).toBe(systems.unitFails);
    await good();
    expect(await shell(host, 'systemctl list-units --state=failed --no-legend')).toBe('');
  });

  it('exits 4 when sshd does not start again', async () => {
    expect(await switchTo(host, systems.badSshd, 'test')).toMatchObject({ code: 4 });
    await good();
    await host.waitForSsh();
  });

  it('exits 11 while somebody else holds the lock, and changes nothing', async () => {
    const before = await pointers(host);
    const lock = '/run/nixos/switch-to-configuration.lock';
    const holder = host.exec([
      'flock',
      lock,
      'sh',
      '-c',
      'touch /run/held; until [ -e /run/let-go ]; do sleep 0.05; done',
    ]);
    await eventually(async () => (await shell(host, 'test -e /run/held && echo yes')) === 'yes', {
      what: 'the lock being held',
      deadlineMs: 10_000,
    });
    expect(await switchTo(host, systems.otherPort, 'switch')).toMatchObject({ code: 11 });
    expect(await pointers(host)).toEqual(before);
    await shell(host, 'touch /run/let-go');
    await holder;
    await shell(host, 'rm -f /run/held /run/let-go');
    expect(await switchTo(host, systems.locked, 'switch')).toMatchObject({ code: 11 });
    expect(await pointers(host)).toEqual(before);
  });

  it('exits 100 with nothing live changed when only a reboot can bring it', async () => {
    const before = await pointers(host);
    expect(await switchTo(host, systems.otherInit, 'test')).toMatchObject({ code: 100 });
    expect(await switchTo(host, systems.otherInit, 'switch')).toMatchObject({ code: 100 });
    expect(await pointers(host)).toEqual({ ...before, bootDefault: systems.otherInit });
  });

  it('exits 101 when it panics half-way; the old system comes back whole', async () => {
    expect(await switchTo(host, systems.panics, 'test')).toMatchObject({ code: 101 });
    expect((await pointers(host)).current).toBe(systems.panics);
    await good();
    expect(await shell(host, 'systemctl is-active web.service')).toBe('active');
  });

  it('dies half-way when it is killed; the old system comes back whole, with what was stopped', async () => {
    expect((await switchTo(host, systems.killed, 'test')).code).not.toBe(0);
    expect(await shell(host, 'systemctl is-active web.service')).toBe('inactive');
    await good();
    expect(await shell(host, 'systemctl is-active web.service')).toBe('active');
    expect(await shell(host, 'ls /run/nixos')).toBe('switch-to-configuration.lock');
  });

  it('hangs with the lock held, until all of its unit is killed', async () => {
    await shell(
      host,
      `systemd-run --collect --unit=hanging ${systems.hangs}/bin/switch-to-configuration test`,
    );
    await eventually(async () => (await pointers(host)).current === systems.hangs, {
      what: 'the activation',
      deadlineMs: 20_000,
    });
    expect(await switchTo(host, systems.good, 'test')).toMatchObject({ code: 11 });
    await shell(host, 'systemctl kill --signal=SIGKILL hanging.service');
    await eventually(async () => (await switchTo(host, systems.good, 'test')).code === 0, {
      what: 'the lock being free',
      deadlineMs: 10_000,
    });
  });
});

describe('a system that is broken in ways that switching does not see', () => {
  beforeEach(good);

  it('exits 0 without sshd; the old system brings it back', async () => {
    expect(await switchTo(host, systems.noSshd, 'test')).toMatchObject({ code: 0 });
    await expect(host.waitForSsh(22, 500)).rejects.toThrow('not within');
    await good();
    await host.waitForSsh();
  });

  it('exits 0 without the network; the old system brings it back', async () => {
    expect(await switchTo(host, systems.noNetwork, 'test')).toMatchObject({ code: 0 });
    await expect(host.waitForSsh(22, 700)).rejects.toThrow('not within');
    await good();
    await host.waitForSsh();
  });

  it('takes sshd away for some seconds', async () => {
    expect(await switchTo(host, systems.bounces, 'test')).toMatchObject({ code: 0 });
    await expect(host.waitForSsh(22, 200)).rejects.toThrow('not within');
    await host.waitForSsh(22, 10_000);
    await eventually(
      async () => (await shell(host, 'systemctl is-active sshd-bounce.service')) === 'inactive',
      {
        what: 'the end of the bounce',
        deadlineMs: 10_000,
      },
    );
    await host.waitForSsh(22, 2_000);
  });

  it.each(['loops', 'failsLater'] as const)('has a unit that %s after the switch', async (name) => {
    expect(await switchTo(host, systems[name], 'test')).toMatchObject({ code: 0 });
    await eventually(
      async () => {
        const state = await shell(host, 'systemctl show -p NRestarts -p ActiveState fault.service');
        return name === 'loops' ? /NRestarts=[2-9]/.test(state) : state.includes('ActiveState=failed');
      },
      { what: 'the failure', deadlineMs: 15_000 },
    );
    await good();
  });
});

describe('profile generations', () => {
  it('get a new number for an old toplevel', async () => {
    for (const system of [systems.good, systems.otherPort, systems.good]) await setProfile(host, system);
    expect(await shell(host, 'readlink /nix/var/nix/profiles/system')).toBe('system-4-link');
    expect((await pointers(host)).profile).toBe(systems.good);
  });
});
