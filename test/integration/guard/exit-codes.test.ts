import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Lab } from '../../hosts/lab.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { aCheck } from '../../support/builders.ts';
import { pointers, shell } from '../hosts/support.ts';
import { type Workbench, guardHost } from './support.ts';

const faulty = (fault: string): string => `{ roles, ... }: {
  imports = [ (roles.web { greeter = "2.0"; }) (roles.motd "next") ]; faults = { ${fault} }; }`;

const files = {
  good: '{ roles, ... }: { imports = [ (roles.web { greeter = "1.0"; }) (roles.motd "good") ]; }',
  better: '{ roles, ... }: { imports = [ (roles.web { greeter = "2.0"; }) (roles.motd "better") ]; }',
  exit1: faulty('switch = 1;'),
  exit2: faulty('switch = 2;'),
  exit4: faulty('switch = 4;'),
  exit11: faulty('switch = 11;'),
  exit100: faulty('switch = 100;'),
  exit101: faulty('switch = 101;'),
  killed: faulty('switch = "killed";'),
  hangs: faulty('switch = "hangs";'),
  loops: faulty('unit = "loops";'),
  failsLater: faulty('unit = "fails-later";'),
  noBootLoader: '{ system.bootLoaderFails = true; }',
};

let lab: Lab;
let host: TestHost;
let bench: Workbench;
let systems: typeof files;

const isGood = (): { current: string; profile: string; bootDefault: string } => ({
  current: systems.good,
  profile: systems.good,
  bootDefault: systems.good,
});
const expectGood = async (): Promise<void> => {
  expect(await pointers(host)).toMatchObject(isGood());
  expect(await shell(host, 'systemctl is-active web.service sshd.service; cat /etc/motd')).toBe(
    'active\nactive\ngood',
  );
};
const profileLink = (): Promise<string> => shell(host, 'readlink /nix/var/nix/profiles/system');

beforeAll(async () => {
  const made = await guardHost(files);
  ({ lab, host, bench, systems } = made);
  return made.close;
});

/** systemd is told to read its units again every half second, which restarts timers that count from their start. */
let reloading: Promise<unknown>;
beforeEach(async () => {
  await shell(host, 'systemctl reset-failed; rm -f /tmp/still');
  if ((await pointers(host)).current !== systems.good) {
    await bench.mustSucceed(systems.good);
  }
  reloading = host.exec(['sh', '-c', 'until [ -e /tmp/still ]; do systemctl daemon-reload; sleep 0.5; done']);
});
afterEach(async () => {
  await shell(host, 'touch /tmp/still');
  await reloading;
});

describe('switch-to-configuration ends with', () => {
  it('0: the activation goes on', async () => {
    const { outcome } = await bench.activate(systems.better);
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    expect(await pointers(host)).toMatchObject({ current: systems.better, bootDefault: systems.better });
  });

  it('1 and nothing changed: it failed, and nothing is rolled back', async () => {
    const { outcome, events } = await bench.activate(systems.exit1);
    expect(outcome).toMatchObject({
      kind: 'ended',
      end: {
        kind: 'failed',
        failure: { code: 'ACTIVATION_REFUSED', disposition: 'stalled', details: { exit: '1' } },
      },
    });
    expect(events).toEqual([]);
    await expectGood();
  });

  it.for([
    ['2', 'exit2'],
    ['101', 'exit101'],
    ['137', 'killed'],
  ] as const)('%s: it is rolled back, with evidence', async ([exit, name]) => {
    const before = await profileLink();
    const { outcome, events } = await bench.activate(systems[name]);
    expect(outcome).toMatchObject({
      kind: 'ended',
      end: {
        kind: 'rolled-back',
        evidence: true,
        failure: { code: 'ACTIVATION_FAILED', disposition: 'stalled', details: { exit } },
      },
    });
    expect(events).toMatchObject([{ kind: 'roll-back-started' }]);
    await expectGood();
    expect(await profileLink()).toBe(before);
  });

  it('4 with a unit that newly failed: it is rolled back, and the unit is named', async () => {
    const { outcome, log } = await bench.activate(systems.exit4);
    expect(outcome).toMatchObject({
      kind: 'ended',
      end: {
        kind: 'rolled-back',
        evidence: true,
        failure: { code: 'UNITS_FAILED', details: { units: 'fault.service' } },
      },
    });
    expect(log.join('\n')).toContain('fault.service');
    await expectGood();
    expect(await shell(host, 'systemctl --failed --plain --no-legend')).toBe('');
  });

  it('4 with nothing failed but what had failed before: the activation goes on', async () => {
    await shell(
      host,
      'printf "[Service]\\nType=oneshot\\nExecStart=/bin/false\\n" > /run/systemd/system/old-trouble.service; ' +
        'systemctl daemon-reload; systemctl start old-trouble.service',
    );
    // It fails again during the switch, after the old failures were reset.
    const wants = '/run/systemd/system/multi-user.target.wants';
    await shell(host, `mkdir -p ${wants}; ln -s ../old-trouble.service ${wants}/; systemctl daemon-reload`);
    const { outcome, log } = await bench.activate(systems.better);
    await shell(host, `rm -r ${wants} /run/systemd/system/old-trouble.service; systemctl daemon-reload`);
    expect(log.join('\n')).toContain('old-trouble.service');
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
  });

  it('11: somebody else has the lock; untouched, and to be tried again', async () => {
    const { outcome, events } = await bench.activate(systems.exit11);
    expect(outcome).toMatchObject({
      kind: 'ended',
      end: { kind: 'failed', failure: { code: 'LOCK_HELD', disposition: 'transient' } },
    });
    expect(events).toEqual([]);
    await expectGood();
  });

  it('100: it becomes the boot default, and the host awaits a reboot', async () => {
    const { outcome } = await bench.activate(systems.exit100);
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'awaiting-reboot' } });
    expect(await pointers(host)).toMatchObject({
      current: systems.good,
      profile: systems.exit100,
      bootDefault: systems.exit100,
    });
    const again = await bench.activate(systems.good, { action: 'finalise' });
    expect(again.outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    await expectGood();
  });

  it('100 in mode test: refused, nothing changed', async () => {
    const { outcome } = await bench.activate(systems.exit100, { mode: 'test' });
    expect(outcome).toMatchObject({ end: { kind: 'failed', failure: { code: 'ACTIVATION_REFUSED' } } });
    await expectGood();
  });

  it('nothing at all: it is ended at the deadline of the activation and rolled back', async () => {
    const { outcome } = await bench.activate(systems.hangs, { timeouts: { activationMs: 3_000 } });
    expect(outcome).toMatchObject({
      end: { kind: 'rolled-back', evidence: true, failure: { code: 'ACTIVATION_FAILED' } },
    });
    await expectGood();
  });
});

describe('after the switch', () => {
  it('a unit that restarts in a loop is found within the settle time', async () => {
    const { outcome } = await bench.activate(systems.loops, { timeouts: { settleMs: 3_000 } });
    expect(outcome).toMatchObject({
      end: { kind: 'rolled-back', evidence: true, failure: { code: 'CHECK_FAILED' } },
    });
    await expectGood();
  });

  it('a unit that fails within the settle time is found', async () => {
    const { outcome } = await bench.activate(systems.failsLater, { timeouts: { settleMs: 5_000 } });
    expect(outcome).toMatchObject({
      end: { kind: 'rolled-back', evidence: true, failure: { code: 'CHECK_FAILED' } },
    });
    await expectGood();
  });

  it('a boot loader that cannot be set rolls everything back, profile generation and all', async () => {
    const before = await shell(host, 'readlink /nix/var/nix/profiles/system; ls /nix/var/nix/profiles');
    const { outcome } = await bench.activate(systems.noBootLoader);
    expect(outcome).toMatchObject({
      end: { kind: 'rolled-back', evidence: true, failure: { code: 'BOOTLOADER_FAILED' } },
    });
    await expectGood();
    expect(await shell(host, 'readlink /nix/var/nix/profiles/system; ls /nix/var/nix/profiles')).toBe(before);
  });
});

describe('health checks', () => {
  it('pass where unit, port, page and command are as they should be', async () => {
    const { outcome } = await bench.activate(systems.better, {
      checks: [
        aCheck({ kind: 'unit', name: 'web.service' }, { intervalMs: 200, successes: 3 }),
        aCheck({ kind: 'tcp', port: 8080 }),
        aCheck({ kind: 'http', url: `http://${host.address}:8080/`, status: 200 }),
        aCheck({ kind: 'command', command: ['sh', '-c', 'test "$1" = "a  b"', 'sh', 'a  b'] }),
      ],
    });
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
  });

  it.for([
    { kind: 'unit', name: 'nowhere.service' },
    { kind: 'tcp', port: 4 },
    { kind: 'http', url: 'http://HOST:8080/', status: 418 },
    { kind: 'command', command: ['sh', '-c', 'echo not so good; exit 3'] },
    { kind: 'worker', name: 'says-no' },
    { kind: 'worker', name: 'nobody-knows-it' },
  ] as const)('roll back within the confirmation window when one fails: %o', async (check) => {
    const began = performance.now();
    const { outcome } = await bench.activate(systems.better, {
      checks: [
        aCheck(check.kind === 'http' ? { ...check, url: check.url.replace('HOST', host.address) } : check),
      ],
      timeouts: { confirmMs: 4_000 },
    });
    expect(outcome).toMatchObject({
      end: { kind: 'rolled-back', evidence: true, failure: { code: 'CHECK_FAILED' } },
    });
    expect(performance.now() - began).toBeLessThan(8_000);
    await expectGood();
  });
});

describe('other modes', () => {
  it('test: it runs, and neither profile nor boot default change', async () => {
    const { outcome } = await bench.activate(systems.better, { mode: 'test' });
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    expect(await pointers(host)).toEqual({ ...isGood(), booted: lab.genesis, current: systems.better });
  });

  it('boot: it boots next, and nothing that runs changes', async () => {
    const { outcome } = await bench.activate(systems.better, { mode: 'boot' });
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'awaiting-reboot' } });
    expect(await pointers(host)).toMatchObject({
      current: systems.good,
      profile: systems.better,
      bootDefault: systems.better,
    });
    await bench.activate(systems.good, { action: 'finalise' });
  });

  it('boot with a boot loader that fails: profile and boot default are put back', async () => {
    const { outcome } = await bench.activate(systems.noBootLoader, { mode: 'boot' });
    expect(outcome).toMatchObject({ end: { kind: 'failed', failure: { code: 'BOOTLOADER_FAILED' } } });
    await expectGood();
  });

  it('dry-activate: it says what would happen, and nothing does', async () => {
    const { outcome, log } = await bench.activate(systems.better, { mode: 'dry-activate' });
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    expect(log.join('\n')).toContain('would');
    await expectGood();
  });

  it('finalise refuses when the host runs something else by now', async () => {
    const { outcome } = await bench.activate(systems.better, { action: 'finalise' });
    expect(outcome).toMatchObject({ end: { kind: 'failed', failure: { code: 'DRIFTED' } } });
    await expectGood();
  });
});
