import { beforeAll, describe, expect, it } from 'vitest';

import type { ProbeReport, ProbeTarget } from '../../../shared/domain/contact.ts';
import { parseHostName, parseStorePath } from '../../../shared/domain/names.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { createSystemClock } from '../../../shared/platform/system-clock.ts';
import { createChecks } from '../../../worker/checks/checks.ts';
import { createProbe } from '../../../worker/probe/probe.ts';
import { createSsh } from '../../../worker/ssh/ssh.ts';
import type { Lab } from '../../hosts/lab.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { aCheck } from '../../support/builders.ts';
import { eventually } from '../../support/eventually.ts';
import { type Workbench, guardHost, owner } from '../guard/support.ts';
import { pointers, shell } from '../hosts/support.ts';
import { startSshd } from '../ssh/sshd.ts';

const files = {
  one: '{ roles, ... }: { imports = [ (roles.motd "one") ]; }',
  otherKernel: '{ roles, ... }: { imports = [ (roles.motd "two") ]; system.kernel = "6.6.2"; }',
  otherParameters:
    '{ roles, ... }: { imports = [ (roles.motd "four") ]; system.kernelParams = [ "quiet" "nosmt" ]; }',
  otherSystemd: '{ roles, ... }: { imports = [ (roles.motd "five") ]; system.systemd = "253"; }',
  unrooted: '{ roles, ... }: { imports = [ (roles.motd "three") ]; }',
};

let lab: Lab;
let host: TestHost;
let bench: Workbench;
let systems: typeof files;

beforeAll(async () => {
  const made = await guardHost(files, { adopted: false });
  ({ lab, host, bench, systems } = made);
  return made.close;
});

const report = async (wish?: Partial<ProbeTarget>): Promise<ProbeReport> => {
  const contact = await bench.probe(wish);
  if (contact.kind !== 'reached') throw new Error(contact.failure.message);
  return contact.report;
};

describe('a probe', () => {
  it('of a host that Varve never touched says what it is, and leaves nothing there', async () => {
    const { genesis } = lab;
    expect(await report({ ask: [parseStorePath(genesis)] })).toEqual({
      current: genesis,
      booted: genesis,
      profile: genesis,
      profileGeneration: 1,
      bootDefault: genesis,
      bootId: await host.bootId(),
      failedUnits: [],
      restarting: [],
      newlyFailed: [],
      freeBytes: expect.any(Number),
      locked: false,
      owner: undefined,
      highestToken: undefined,
      records: [],
      nixVersion: '2.8.0',
      rooted: [genesis],
      rebootNeeded: [],
      generations: [],
      tidied: undefined,
      drift: undefined,
      collectedAgoMs: undefined,
    });
    expect(await shell(host, 'ls -d /nix/var/varve 2>/dev/null || echo none')).toBe('none');
  });

  it('makes an owner, and brings the records with what was asked and how it ended', async () => {
    await report({ adopt: { owner, takeover: false } });
    const deployment = bench.deployment(systems.one);
    await bench.activate(systems.one, deployment);
    const { records, highestToken, ...rest } = await report();
    expect(rest.owner).toBe(owner);
    expect(highestToken).toEqual(deployment.token);
    expect(records).toEqual([
      {
        deployment: deployment.id,
        token: deployment.token,
        toplevel: systems.one,
        previous: lab.genesis,
        bootId: await host.bootId(),
        end: { kind: 'succeeded' },
      },
    ]);
    expect(rest.profileGeneration).toBe(2);
    expect(await report({ acknowledged: [deployment.id] })).toMatchObject({ records: [] });
  });

  it('clears what is left of an acknowledgement that was interrupted, and of a start that died', async () => {
    const records = '/nix/var/varve/records';
    await shell(
      host,
      `mkdir -p ${records}/.gone-d000001 ${records}/.d000002 && touch ${records}/.gone-d000001/log`,
    );
    const { id } = bench.deployment(systems.one);
    expect(await report({ acknowledged: [id] })).toMatchObject({ records: [] });
    expect(await shell(host, `ls -A ${records} && echo empty`)).toBe('empty');
  });

  it('says which of the toplevels in question are there to stay', async () => {
    const ask = [systems.one, systems.unrooted, lab.genesis, `/nix/store/${'1'.repeat(32)}-not-there`].map(
      parseStorePath,
    );
    expect((await report({ ask })).rooted).toEqual([systems.one, lab.genesis]);
    await shell(host, `ln -s ${systems.unrooted} /nix/var/nix/gcroots/varve/d000000`);
    expect((await report({ ask })).rooted).toEqual([systems.one, systems.unrooted, lab.genesis]);
  });

  it('sees what a reboot is needed for, also where the new system is only set for the boot', async () => {
    const parts = ['kernel', 'initrd', 'kernel-modules'];
    await bench.activate(systems.otherKernel, { mode: 'boot' });
    expect(await report()).toMatchObject({ rebootNeeded: parts });
    await bench.mustSucceed(systems.otherKernel);
    expect((await report()).rebootNeeded).toEqual(parts);
    await bench.mustSucceed(systems.one);
    expect((await report()).rebootNeeded).toEqual([]);
  });

  it.for([
    ['kernel-params', 'otherParameters'],
    ['systemd', 'otherSystemd'],
  ] as const)('sees that a reboot is needed for %s alone', async ([part, name]) => {
    await bench.activate(systems[name], { mode: 'boot' });
    expect((await report()).rebootNeeded).toEqual([part]);
    await bench.mustSucceed(systems[name]);
    expect((await report()).rebootNeeded).toEqual([part]);
    await bench.mustSucceed(systems.one);
    expect((await report()).rebootNeeded).toEqual([]);
  });

  it('sees units that failed, whatever they are called', async () => {
    await shell(host, 'systemd-run --unit "odd\\\\x2dname" --property=Type=oneshot /bin/false; :');
    expect((await report()).failedUnits).toEqual(['odd\\x2dname.service']);
    await shell(host, 'systemctl reset-failed');
  });

  it('sees that somebody is switching, without getting in the way', async () => {
    await shell(
      host,
      'rm -f /run/done; systemd-run -q --unit holder flock /run/nixos/switch-to-configuration.lock ' +
        'sh -c "until [ -e /run/done ]; do sleep 0.05; done"; until ! flock -n /run/nixos/switch-to-configuration.lock true; do :; done',
    );
    expect((await report()).locked).toBe(true);
    await shell(host, 'touch /run/done; flock /run/nixos/switch-to-configuration.lock true');
    expect((await report()).locked).toBe(false);
  });

  it('takes no lock of another file system for one that has the same number', async () => {
    const lock = '/run/nixos/switch-to-configuration.lock';
    const number = await shell(
      host,
      `mkdir -p /run/nixos /run/other && touch ${lock} && mount -t tmpfs none /run/other && cd /run/other &&
      number=$(stat -c %i ${lock}) && for i in $(seq 20000); do
        : > $i && [ $(stat -c %i $i) -lt $number ] || break
      done && [ $(stat -c %i $i) = $number ] &&
      systemd-run -q --unit=other-lock flock /run/other/$i sleep infinity && echo $number`,
    );
    await eventually(async () => (await shell(host, 'cat /proc/locks')).includes(`:${number} `), {
      what: 'the lock',
      deadlineMs: 5_000,
    });
    expect((await report()).locked).toBe(false);
    await shell(host, 'systemctl stop other-lock && umount /run/other');
  });

  it('brings back what people wrote, character by character', async () => {
    const said = 'he said "no" \\ & `left` $(now) 100% é';
    const { outcome } = await bench.activate(systems.otherKernel, {
      checks: [aCheck({ kind: 'command', command: ['sh', '-c', `printf '%s' "$1"; exit 1`, 'sh', said] })],
      timeouts: { confirmMs: 3_000 },
    });
    expect(outcome).toMatchObject({ end: { kind: 'rolled-back', failure: { code: 'CHECK_FAILED' } } });
    expect((await pointers(host)).current).toBe(systems.one);
    const failed = (await report()).records.at(-1);
    expect(failed?.end).toMatchObject({
      kind: 'rolled-back',
      evidence: true,
      failure: { message: expect.stringContaining('he said "no" \\ & `left` $(now) 100%') },
    });
  });

  it('uses the next candidate when the first does not answer', async () => {
    const connections = [{ ...bench.connection, port: 4 }, bench.connection];
    expect(await bench.probe({ connections })).toMatchObject({
      kind: 'reached',
      connection: bench.connection,
    });
  });

  it('that gets nowhere is a contact too, not an error', async () => {
    expect(await bench.probe({ connections: [{ ...bench.connection, port: 4 }] })).toMatchObject({
      kind: 'unreachable',
      attempts: 1,
      failure: { code: 'HOST_UNREACHABLE' },
    });
    expect(await bench.probe({ connections: [{ ...bench.connection, hostKeys: [] }] })).toMatchObject({
      kind: 'unreachable',
      failure: { code: 'HOST_KEY_UNKNOWN' },
    });
  });

  it('of a machine that is no NixOS says so', async () => {
    const sshd = await startSshd();
    const ssh = createSsh({ keyFiles: [sshd.keyFile] });
    try {
      const clock = createSystemClock();
      const checks = createChecks({ clock, run: createRun(), commands: new Map() });
      const probe = createProbe({ ssh, checks, clock });
      const contact = await probe(
        {
          host: parseHostName('debian'),
          askedAt: 1,
          connections: [{ address: '127.0.0.1', port: sshd.port, user: 'root', hostKeys: [sshd.hostKey] }],
          ask: [],
          acknowledged: [],
          fence: undefined,
          adopt: undefined,
          checks: [],
          retain: undefined,
          tidy: undefined,
          expected: undefined,
        },
        'incarnation',
        { signal: new AbortController().signal, log: () => {}, progress: () => {} },
      );
      expect(contact).toMatchObject({ kind: 'unreachable', failure: { code: 'NOT_NIXOS' } });
    } finally {
      ssh.close();
      await sshd.close();
    }
  });
});

describe('what would boot', () => {
  const entry = (system: string): string => `options init=${system}/init loglevel=4`;
  const layouts: readonly (readonly [
    what: string,
    files: (system: string) => Readonly<Record<string, string>>,
  ])[] = [
    [
      'systemd-boot at /boot',
      (system) => ({
        '/boot/loader/loader.conf': 'timeout 5\ndefault nixos-generation-7.conf\n',
        '/boot/loader/entries/nixos-generation-7.conf': entry(system),
        '/boot/loader/entries/nixos-generation-6.conf': entry('/nix/store/another'),
      }),
    ],
    [
      'systemd-boot at /efi',
      (system) => ({
        '/efi/loader/loader.conf': 'default nixos-generation-7.conf\n',
        '/efi/loader/entries/nixos-generation-7.conf': entry(system),
      }),
    ],
    [
      'systemd-boot at /boot/efi with its entries at /boot',
      (system) => ({
        '/boot/efi/loader/loader.conf': 'default nixos-generation-7\n',
        '/boot/loader/entries/nixos-generation-7.conf': entry(system),
      }),
    ],
    [
      'GRUB',
      (system) => ({
        '/boot/grub/grub.cfg': `  linux /kernel ${entry(system)}\n  linux /kernel init=/nix/store/another/init\n`,
      }),
    ],
    ['extlinux', (system) => ({ '/boot/extlinux/extlinux.conf': `  APPEND ${entry(system)}\n` })],
  ];

  const clean = 'rm -rf /efi /boot/loader /boot/efi /boot/grub /boot/extlinux';
  it.each(layouts)('is read from %s', async (_what, files) => {
    await shell(host, 'mv /boot/default /boot/set-aside');
    try {
      for (const [path, text] of Object.entries(files(systems.one))) {
        await shell(host, `mkdir -p $(dirname ${path}) && printf '%s' '${text}' > ${path}`);
      }
      expect((await report()).bootDefault).toBe(systems.one);
      await shell(host, clean);
      expect((await report()).bootDefault).toBeUndefined();
    } finally {
      await shell(host, `${clean}; mv /boot/set-aside /boot/default`);
    }
  });
});
