import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Connection } from '../../../shared/domain/fleet.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { eventually } from '../../support/eventually.ts';
import { pointers, shell } from '../hosts/support.ts';
import { type Workbench, guardHost } from './support.ts';

const withKey = (text: string): string => `{ roles, ... }: {
  imports = [ (roles.web { greeter = "1.0"; }) ]; ${text} }`;

const files = {
  good: withKey(''),
  noSshd: withKey('faults.sshd = "stopped";'),
  badSshd: withKey('faults.sshd = "misconfigured";'),
  noNetwork: withKey('faults.network = true;'),
  bounces: withKey('faults.sshdBounce = 3;'),
  otherPort: withKey('sshd.port = 2222;'),
  otherKey: withKey('sshd.hostKey = "/etc/ssh/ssh_host_next_ed25519_key";'),
  otherUser: withKey('').replace(
    '(roles.web { greeter = "1.0"; })',
    '(roles.web { greeter = "1.0"; }) (roles.sshUser { name = "deploy"; uid = 0; key = builtins.readFile ../keys/deploy.pub; })',
  ),
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
  if ((await pointers(host)).current === systems.good) return;
  await bench.mustSucceed(systems.good);
});

const expectGood = async (): Promise<void> => {
  expect(await pointers(host)).toMatchObject({
    current: systems.good,
    profile: systems.good,
    bootDefault: systems.good,
  });
  await host.waitForSsh();
};

const there = (change: Partial<Connection>): Connection => ({ ...bench.connection, ...change });
const impatient = { timeouts: { confirmMs: 6_000 } };

describe('a toplevel that cuts the host off', () => {
  it.for(['noSshd', 'noNetwork'] as const)(
    '(%s) is rolled back by the host itself, and counts as evidence',
    async (name) => {
      const { outcome, events } = await bench.activate(systems[name], impatient);
      expect(outcome).toMatchObject({
        kind: 'ended',
        end: {
          kind: 'rolled-back',
          evidence: true,
          failure: { code: 'CONFIRM_TIMEOUT', disposition: 'stalled' },
        },
      });
      expect(events).toMatchObject([{ kind: 'switched' }, { kind: 'roll-back-started' }]);
      await expectGood();
    },
  );

  it('(a broken sshd_config) is found by switch-to-configuration itself', async () => {
    const { outcome } = await bench.activate(systems.badSshd, impatient);
    expect(outcome).toMatchObject({
      end: {
        kind: 'rolled-back',
        evidence: true,
        failure: { code: 'UNITS_FAILED', details: { units: 'sshd.service' } },
      },
    });
    await expectGood();
  });

  it('is no evidence when no worker was there to try', async () => {
    const gone = new AbortController();
    const activating = bench.activate(systems.noSshd, impatient, gone.signal);
    await eventually(async () => (await pointers(host)).current === systems.noSshd, {
      deadlineMs: 10_000,
      what: 'the switch',
    });
    gone.abort();
    expect((await activating).outcome).toMatchObject({
      kind: 'unknown',
      failure: { code: 'OUTCOME_UNKNOWN' },
    });
    await eventually(
      async () => {
        const contact = await bench.probe();
        if (contact.kind !== 'reached') return false;
        const end = contact.report.records.at(-1)?.end;
        return end?.kind === 'rolled-back' && !end.evidence && end.failure.code === 'UNCONFIRMED';
      },
      { deadlineMs: 20_000, everyMs: 200, what: 'the roll back, without evidence' },
    );
    await expectGood();
  });
});

describe('an sshd that goes away for some seconds and comes back', () => {
  it('is no failure', async () => {
    const { outcome } = await bench.activate(systems.bounces);
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
  });
});

describe('a toplevel that changes how the host is reached', () => {
  it.for([
    ['port', 'otherPort', () => there({ port: 2222 })],
    ['host key', 'otherKey', () => there({ hostKeys: [host.nextHostKey] })],
    ['deploy user', 'otherUser', () => there({ user: 'deploy' })],
  ] as const)('%s: it is confirmed at the new one, and back again', async ([, name, connection]) => {
    const next = connection();
    expect((await bench.activate(systems[name], { next })).outcome).toEqual({
      kind: 'ended',
      end: { kind: 'succeeded' },
    });
    expect(await pointers(host)).toMatchObject({ current: systems[name], bootDefault: systems[name] });
    const back = await bench.activate(systems.good, { known: [next], next: bench.connection });
    expect(back.outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    await expectGood();
  });

  it('but not to where it was said to be: rolled back', async () => {
    const { outcome } = await bench.activate(systems.otherPort, {
      ...impatient,
      next: there({ port: 2223 }),
    });
    expect(outcome).toMatchObject({ end: { kind: 'rolled-back', failure: { code: 'CONFIRM_TIMEOUT' } } });
    await expectGood();
  });
});

describe('a link that is down after the switch', () => {
  it('and up again in time does not hinder the confirmation', async () => {
    const { outcome } = await bench.activate(systems.otherKey, {
      next: there({ hostKeys: [host.nextHostKey] }),
      onEvent: async () => {
        await host.linkDown();
        await shell(host, 'sleep 2');
        await host.linkUp();
      },
    });
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    await bench.activate(systems.good, { known: [there({ hostKeys: [host.nextHostKey] })] });
  });

  it('and stays down until the window is over is rolled back', async () => {
    const { outcome } = await bench.activate(systems.otherPort, {
      ...impatient,
      next: there({ port: 2222 }),
      onEvent: async (event) => {
        if (event.kind === 'switched') await host.linkDown();
        await eventually(async () => (await pointers(host)).current === systems.good, {
          deadlineMs: 20_000,
          what: 'the roll back',
        });
        await host.linkUp();
      },
    });
    expect(outcome).toMatchObject({ end: { kind: 'rolled-back', failure: { code: 'CONFIRM_TIMEOUT' } } });
    await expectGood();
  });
});
