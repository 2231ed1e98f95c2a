import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { HostRecord, ProbeReport } from '../../../shared/domain/contact.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { eventually } from '../../support/eventually.ts';
import { pointers, shell } from '../hosts/support.ts';
import { type Workbench, guardHost } from './support.ts';

const files = {
  good: '{ roles, ... }: { imports = [ (roles.web { greeter = "1.0"; }) (roles.motd "good") ]; }',
  better: '{ roles, ... }: { imports = [ (roles.web { greeter = "2.0"; }) (roles.motd "better") ]; }',
  // Comes up, but what it replaces can't be brought back: a service of the old system does not start again.
  poison: `{ roles, ... }: { imports = [ (roles.motd "poison") ];
    activation.poison = "touch /run/poisoned"; faults.unit = "fails"; }`,
  fragile: `{ roles, ... }: { imports = [ (roles.motd "fragile") ];
    units."fragile.service" = { wantedBy = [ "multi-user.target" ]; text = ''
      [Service]
      ExecStartPre=/bin/sh -c "! test -e /run/poisoned"
      ExecStart=/bin/sleep infinity
    ''; }; }`,
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
  await shell(host, 'rm -rf /nix/var/varve/faults /run/poisoned');
  await eventually(async () => (await report()).records.every((record) => record.end !== undefined), {
    deadlineMs: 20_000,
    everyMs: 200,
    what: 'the end of everything before',
  });
  if ((await pointers(host)).current !== systems.good) await bench.mustSucceed(systems.good);
});

const report = async (): Promise<ProbeReport> => {
  const contact = await bench.probe();
  if (contact.kind !== 'reached') throw new Error(`not reached: ${contact.failure.message}`);
  return contact.report;
};
const recordOf = async (id: string): Promise<HostRecord | undefined> =>
  (await report()).records.find((record) => record.deployment === id);
const ended = (id: string): Promise<HostRecord> =>
  eventually(
    async () => {
      const record = await recordOf(id);
      return record?.end === undefined ? undefined : record;
    },
    { deadlineMs: 30_000, everyMs: 200, what: `the end of ${id}` },
  );
const state = async (): Promise<string> => {
  const { current, profile, bootDefault } = await pointers(host);
  const name = (path: string): string =>
    Object.entries(systems).find(([, toplevel]) => toplevel === path)?.[0] ?? path;
  return [current, profile, bootDefault].map(name).join(' ');
};

describe('the guard dies', () => {
  it.for([
    ['recorded', 'failed', 'good good good'],
    ['running', 'failed', 'good good good'],
    ['before-switch', 'rolled-back', 'good good good'],
    ['after-switch', 'rolled-back', 'good good good'],
    ['confirmed', 'succeeded', 'better better better'],
    ['profile-set', 'succeeded', 'better better better'],
    ['boot-set', 'succeeded', 'better better better'],
  ] as const)('at `%s`: it is %s, and the host runs one whole system', async ([point, kind, expected]) => {
    await bench.fault(point);
    const deployment = bench.deployment(systems.better);
    const { outcome } = await bench.activate(systems.better, deployment);
    expect(outcome).toMatchObject({ kind: 'ended', end: { kind } });
    expect((await ended(deployment.id)).end).toMatchObject({ kind });
    expect(await state()).toBe(expected);
    expect(await shell(host, 'systemctl is-active web.service sshd.service')).toBe('active\nactive');
    // Once: whatever was taken up again, the switch was begun one time.
    const journal = await bench.journal(deployment.id);
    expect(journal.match(/switching/g)?.length ?? 0).toBeLessThanOrEqual(1);
    expect(journal.match(/end/g)).toHaveLength(1);
  });

  it.for(['rolling-back', 'rolled-back'] as const)(
    'at `%s` while it rolls back: it rolls back',
    async (point) => {
      await bench.fault(point);
      const deployment = bench.deployment(systems.poison);
      const { outcome } = await bench.activate(systems.poison, deployment);
      expect(outcome).toMatchObject({
        kind: 'ended',
        end: { kind: 'rolled-back', failure: { code: 'UNITS_FAILED' } },
      });
      expect(await state()).toBe('good good good');
    },
  );

  it('or hangs after the confirmation: the watchdog ends it at its deadline and rolls back', async () => {
    await shell(host, 'mkdir -p /nix/var/varve/faults && echo stop > /nix/var/varve/faults/confirmed');
    const { outcome } = await bench.activate(systems.better, { timeouts: { activationMs: 3_000 } });
    expect(outcome).toMatchObject({
      kind: 'ended',
      end: { kind: 'rolled-back', failure: { code: 'BOOTLOADER_FAILED' } },
    });
    expect(await state()).toBe('good good good');
  });

  it('not, but its watchdog alone: what nobody confirms is rolled back all the same, and no probe is needed', async () => {
    const deployment = bench.deployment(systems.better, { timeouts: { confirmMs: 4_000 } });
    const gone = new AbortController();
    const activating = bench.activate(
      systems.better,
      {
        ...deployment,
        onEvent: async () => {
          await shell(host, `systemctl kill -s KILL varve-watchdog-${deployment.id}`);
          gone.abort();
        },
        next: { ...bench.connection, port: 4 },
      },
      gone.signal,
    );
    expect((await activating).outcome.kind).toBe('unknown');
    await eventually(async () => (await bench.journal(deployment.id)).endsWith('end'), {
      deadlineMs: 30_000,
      everyMs: 200,
      what: 'the end that the host comes to by itself',
    });
    expect(await state()).toBe('good good good');
    expect((await recordOf(deployment.id))?.end).toMatchObject({ kind: 'rolled-back', evidence: false });
  });

  it('and its watchdog too: the next probe brings it to its end', async () => {
    const deployment = bench.deployment(systems.better);
    const gone = new AbortController();
    const units = `varve-activate-${deployment.id} varve-watchdog-${deployment.id}`;
    const { outcome } = await bench.activate(
      systems.better,
      {
        ...deployment,
        onEvent: async () => {
          await shell(host, `systemctl kill -s KILL ${units}`);
          gone.abort();
        },
        // Nobody is to confirm it in the meantime.
        next: { ...bench.connection, port: 4 },
      },
      gone.signal,
    );
    expect(outcome.kind).toBe('unknown');
    expect((await ended(deployment.id)).end).toMatchObject({ kind: 'rolled-back', evidence: false });
    expect(await state()).toBe('good good good');
  });
});

describe('the power fails', () => {
  const cutWhen = async (id: string, event: string): Promise<void> => {
    await eventually(async () => (await bench.journal(id)).includes(event), {
      deadlineMs: 20_000,
      everyMs: 5,
      what: event,
    });
    await host.powerCut();
    await host.boot();
  };

  it('inside the confirmation window: the old system boots, and the record is closed', async () => {
    const deployment = bench.deployment(systems.better, { next: { ...bench.connection, port: 4 } });
    const gone = new AbortController();
    const activating = bench.activate(systems.better, deployment, gone.signal);
    await cutWhen(deployment.id, 'switched');
    gone.abort();
    await activating;
    expect((await ended(deployment.id)).end).toMatchObject({
      kind: 'rolled-back',
      evidence: false,
      failure: { code: 'POWER_LOST' },
    });
    expect(await state()).toBe('good good good');
  });

  it.for([
    ['confirmed', 'rolled-back', 'good good good'],
    ['profile-set', 'rolled-back', 'good good good'],
    ['boot-set', 'succeeded', 'better better better'],
  ] as const)('at `%s`, after the confirmation: it is %s', async ([point, kind, expected]) => {
    // The guard stands still there, and its watchdog with it, so that nothing happens before the cut.
    await shell(host, `mkdir -p /nix/var/varve/faults && echo stop > /nix/var/varve/faults/${point}`);
    const deployment = bench.deployment(systems.better);
    const gone = new AbortController();
    const activating = bench.activate(systems.better, deployment, gone.signal);
    await eventually(async () => (await shell(host, 'ls /nix/var/varve/faults')) === '', {
      deadlineMs: 20_000,
      what: point,
    });
    await host.powerCut();
    gone.abort();
    await activating;
    await host.boot();
    expect((await ended(deployment.id)).end).toMatchObject({ kind });
    expect(await state()).toBe(expected);
    expect((await pointers(host)).booted).toBe((await pointers(host)).current);
  });
});

describe('a roll back that fails', () => {
  it('leaves the host stuck, and says what does not run; nothing is tried again', async () => {
    await bench.mustSucceed(systems.fragile);
    const deployment = bench.deployment(systems.poison);
    const { outcome } = await bench.activate(systems.poison, deployment);
    expect(outcome).toMatchObject({
      kind: 'ended',
      end: { kind: 'stuck', failure: { code: 'ROLL_BACK_FAILED', details: { because: 'UNITS_FAILED' } } },
    });
    expect(JSON.stringify(outcome)).toContain('fragile.service');
    expect(await bench.journal(deployment.id)).toMatch(/rolling-back end$/);
  });
});

describe('a worker of another version', () => {
  it('carries on what a guard of before has begun with that one, and not with its own, which is not there', async () => {
    const one = bench.deployment(systems.better);
    const gone = new AbortController();
    const context = { log() {}, progress() {} };
    await bench.steps.activate(one, { ...context, signal: gone.signal }, async () => gone.abort());
    const other = `/nix/store/${'1'.repeat(32)}-varve-guard`;
    const own = await shell(host, 'readlink -e /nix/var/nix/gcroots/varve/guard');
    await shell(
      host,
      `cp ${own} ${other} && sed -i 's|^guard=.*|guard=${other}|' /nix/var/varve/records/${one.id}/data && mv ${own} /root/own-guard`,
    );
    try {
      const signal = new AbortController().signal;
      const outcome = await bench.steps.activate(one, { ...context, signal }, async () => {});
      expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' }, previous: systems.good });
      expect(await state()).toBe('better better better');
      const fresh = bench.deployment(systems.good);
      expect(await bench.steps.activate(fresh, { ...context, signal }, async () => {})).toMatchObject({
        kind: 'refused',
        failure: { code: 'PUSH_FAILED' },
      });
    } finally {
      await shell(host, `mv /root/own-guard ${own} && rm ${other}`);
    }
  });
});
