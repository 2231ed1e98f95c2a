import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { TestHost } from '../../hosts/test-host.ts';
import { aCheck } from '../../support/builders.ts';
import { pointers, shell } from '../hosts/support.ts';
import { type Workbench, guardHost } from './support.ts';

const web = (rest: string): string =>
  `{ roles, ... }: { imports = [ (roles.web { greeter = "1.0"; }) ]; ${rest} }`;

const files = {
  picky: web('preSwitchChecks.bad = "[ ! -e /run/bad ]";'),
  better: web('etc."motd".text = "better";'),
  bad: web('activation.bad = "touch /run/bad"; faults.switch = 4;'),
  halfActivated: web(
    `activation.users = "echo \\"Activation script snippet 'users' failed (1)\\" >&2"; faults.switch = 4;`,
  ),
  locked: web('faults.switch = 11;'),
};

let host: TestHost;
let bench: Workbench;
let systems: typeof files;

beforeAll(async () => {
  const made = await guardHost(files);
  ({ host, bench, systems } = made);
  return made.close;
});
beforeEach(async () => {
  await shell(host, 'rm -f /run/bad; systemctl reset-failed');
  if ((await pointers(host)).current !== systems.picky) await bench.mustSucceed(systems.picky);
});

/** Holds NixOS's own lock for a while, as somebody does who runs nixos-rebuild. */
async function holdLock(seconds: number): Promise<void> {
  const held = `flock /run/nixos/switch-to-configuration.lock sleep ${seconds}`;
  await shell(host, `setsid ${held} < /dev/null > /dev/null 2>&1 & sleep 0.2`);
}

describe('somebody else who is switching', () => {
  it('after the confirmation is waited for, and nothing is undone', async () => {
    const { outcome } = await bench.activate(systems.better, {
      async onEvent(event) {
        if (event.kind === 'switched') await holdLock(4);
      },
    });
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    expect(await pointers(host)).toMatchObject({
      current: systems.better,
      profile: systems.better,
      bootDefault: systems.better,
    });
  });

  it('during a roll back is waited for as well', async () => {
    const { outcome } = await bench.activate(systems.better, {
      checks: [aCheck({ kind: 'tcp', port: 4 })],
      timeouts: { confirmMs: 3_000 },
      async onEvent(event) {
        if (event.kind === 'switched') await holdLock(6);
      },
    });
    expect(outcome).toMatchObject({ end: { kind: 'rolled-back', failure: { code: 'CHECK_FAILED' } } });
    expect(await pointers(host)).toMatchObject({ current: systems.picky, bootDefault: systems.picky });
  });

  it('makes a dry activation one to be tried again', async () => {
    const { outcome } = await bench.activate(systems.locked, { mode: 'dry-activate' });
    expect(outcome).toMatchObject({
      end: { kind: 'failed', failure: { code: 'LOCK_HELD', disposition: 'transient' } },
    });
  });
});

describe('a roll back', () => {
  it('is not refused by a check of the old system that what is undone made fail', async () => {
    const { outcome, log } = await bench.activate(systems.bad);
    expect(outcome).toMatchObject({ end: { kind: 'rolled-back', failure: { code: 'UNITS_FAILED' } } });
    expect(log.join('\n')).toContain('without its checks');
    expect(await pointers(host)).toMatchObject({ current: systems.picky, profile: systems.picky });
  });

  it('follows an activation script that failed, although the exit status tells of units only', async () => {
    const { outcome } = await bench.activate(systems.halfActivated);
    expect(outcome).toMatchObject({
      end: { kind: 'rolled-back', evidence: true, failure: { code: 'ACTIVATION_FAILED' } },
    });
    expect(await pointers(host)).toMatchObject({ current: systems.picky });
  });
});
