import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { HostContact } from '../../../shared/domain/contact.ts';
import { parseStorePath } from '../../../shared/domain/names.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { aCheck } from '../../support/builders.ts';
import { eventually } from '../../support/eventually.ts';
import { pointers, shell } from '../hosts/support.ts';
import { type Workbench, guardHost } from './support.ts';

const web = (text: string): string =>
  `{ roles, ... }: { imports = [ (roles.web { greeter = "2.0"; }) (roles.motd "next") ]; ${text} }`;

const files = {
  good: '{ roles, ... }: { imports = [ (roles.web { greeter = "1.0"; }) (roles.motd "good") ]; }',
  better: web(''),
  failsUnit: web('faults.switch = 4;'),
  halfActivated: web(
    `activation.users = "echo \\"Activation script snippet 'users' failed (1)\\" >&2"; faults.switch = 4;`,
  ),
  flaps: web('faults.unit = "loops";'),
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
  await shell(host, 'systemctl reset-failed; rm -f /run/quarantined');
  if ((await pointers(host)).current !== systems.good) await bench.mustSucceed(systems.good);
});

const succeeded = { kind: 'ended', end: { kind: 'succeeded' } };
const rolledBack = (code: string) => ({ end: { kind: 'rolled-back', evidence: true, failure: { code } } });
const settled = { timeouts: { settleMs: 3_000 } } as const;
const isGood = (): object => ({
  current: systems.good,
  profile: systems.good,
  bootDefault: systems.good,
});

/** A unit of no system that has failed, and fails again with every switch, until the function is called. */
async function haveOldTrouble(): Promise<() => Promise<unknown>> {
  const units = '/run/systemd/system';
  const wants = `${units}/multi-user.target.wants`;
  await shell(
    host,
    `printf "[Service]\\nType=oneshot\\nExecStart=/bin/false\\n" > ${units}/old-trouble.service; mkdir -p ${wants}; ` +
      `ln -s ../old-trouble.service ${wants}/; systemctl daemon-reload; systemctl start old-trouble.service`,
  );
  return () => shell(host, `rm -r ${wants} ${units}/old-trouble.service; systemctl daemon-reload`);
}

describe('failed units', () => {
  it.for([
    ['new', 'failsUnit', rolledBack('UNITS_FAILED')],
    ['any', 'failsUnit', rolledBack('UNITS_FAILED')],
    ['ignore', 'failsUnit', succeeded],
    // What the exit status hides is no failed unit.
    ['ignore', 'halfActivated', rolledBack('ACTIVATION_FAILED')],
  ] as const)('under %s, an exit status of 4 of %s ends as it should', async ([policy, name, end]) => {
    const { outcome } = await bench.activate(systems[name], { unitFailures: policy });
    expect(outcome).toMatchObject(end);
  });

  it.for([
    ['new', succeeded],
    ['any', rolledBack('UNITS_FAILED')],
    ['ignore', succeeded],
  ] as const)('of before the switch are judged by the policy as well: %s', async ([policy, end]) => {
    const mend = await haveOldTrouble();
    const { outcome } = await bench.activate(systems.better, { unitFailures: policy });
    await mend();
    expect(outcome).toMatchObject(end);
  });

  it.for([
    ['new', rolledBack('CHECK_FAILED')],
    ['any', rolledBack('CHECK_FAILED')],
    ['ignore', succeeded],
  ] as const)('that flap within the settle time are judged by the policy: %s', async ([policy, end]) => {
    const { outcome } = await bench.activate(systems.flaps, { ...settled, unitFailures: policy });
    expect(outcome).toMatchObject(end);
  });
});

describe('a check before an activation', () => {
  const quarantine = aCheck(
    { kind: 'command', command: ['test', '!', '-e', '/run/quarantined'] },
    { before: true },
  );

  it.for([
    ['on the host', quarantine, 'the command test ended with status 1'],
    [
      'on the worker',
      aCheck({ kind: 'worker', name: 'says-no' }, { before: true }),
      'the worker command says-no ended with 1: h1 is quarantined',
    ],
  ] as const)('that fails %s leaves the host alone', async ([, check, message]) => {
    await shell(host, 'touch /run/quarantined');
    const look = 'ls -la /nix/var/nix/profiles; ls /nix/var/varve/records';
    const before = await shell(host, look);
    const { outcome, events } = await bench.activate(systems.better, { checks: [check] });
    expect(outcome).toEqual({
      kind: 'refused',
      failure: expect.objectContaining({ code: 'NOT_READY', disposition: 'transient', message }),
    });
    expect(events).toEqual([]);
    expect(await pointers(host)).toMatchObject(isGood());
    expect(await shell(host, look)).toBe(before);
  });

  it('is asked by probes as well, whatever the host runs', async () => {
    await shell(host, 'touch /run/quarantined');
    const ready = [quarantine];
    expect(await bench.probe({ ready })).toMatchObject({
      kind: 'reached',
      checks: [],
      readiness: { problem: 'the command test ended with status 1' },
    });
    await shell(host, 'rm /run/quarantined');
    expect(await bench.probe({ ready })).toMatchObject({
      kind: 'reached',
      readiness: { problem: undefined },
    });
    expect(await bench.probe()).not.toHaveProperty('readiness');
  });
});

describe('later health', () => {
  const probed = async (wish: Parameters<Workbench['probe']>[0] = {}) => {
    const contact: HostContact = await bench.probe(wish);
    if (contact.kind !== 'reached') throw new Error(contact.failure.message);
    return contact;
  };
  const checks = [
    aCheck({ kind: 'unit', name: 'web.service' }, { intervalMs: 50 }),
    aCheck({ kind: 'command', command: ['sh', '-c', 'echo no; exit 3'] }, { intervalMs: 50 }),
    aCheck({ kind: 'tcp', port: 8080 }, { intervalMs: 50 }),
  ];

  it('is what the checks say of a host that runs what is wanted, and of no other', async () => {
    const ask = [parseStorePath(systems.good)];
    expect((await probed({ ask, checks })).checks).toEqual([
      { name: 'unit web.service', healthy: true, intervalMs: 50 },
      {
        name: 'the command sh',
        healthy: false,
        message: 'the command sh ended with status 3: no',
        intervalMs: 50,
      },
      { name: 'port 8080', healthy: true, intervalMs: 50 },
    ]);
    await shell(host, 'systemctl stop web.service');
    const later = await probed({ ask, checks });
    await shell(host, 'systemctl start web.service');
    expect(later.checks.map(({ healthy }) => healthy)).toEqual([false, false, false]);
    expect((await probed({ ask: [parseStorePath(systems.better)], checks })).checks).toEqual([]);
  });

  it('knows the units that failed since the last activation, also when its record is gone', async () => {
    const mend = await haveOldTrouble();
    const { id, token } = bench.deployment(systems.better);
    expect((await bench.activate(systems.better, { id, token })).outcome).toEqual(succeeded);
    await shell(
      host,
      'systemd-run -q --unit=new-trouble false; until systemctl is-failed -q new-trouble; do :; done',
    );
    const seen = {
      failedUnits: ['new-trouble.service', 'old-trouble.service'],
      newlyFailed: ['new-trouble.service'],
    };
    expect((await probed()).report).toMatchObject(seen);
    expect((await probed({ acknowledged: [id] })).report).toMatchObject({
      ...seen,
      records: expect.not.arrayContaining([expect.objectContaining({ deployment: id })]),
    });
    expect((await probed()).report).toMatchObject(seen);
    await mend();
  });

  it('sees units that are started again and again', async () => {
    await shell(
      host,
      'systemd-run -q --unit=loop -p Restart=always -p RestartSec=1s -p StartLimitIntervalSec=0 /run/current-system/sw/bin/false',
    );
    const seen = await eventually(
      async () => {
        const { report } = await probed();
        return report.restarting.length > 0 && report;
      },
      { what: 'a unit between two starts', deadlineMs: 10_000 },
    );
    await shell(host, 'systemctl stop loop.service');
    expect(seen).toMatchObject({
      restarting: ['loop.service'],
      newlyFailed: ['loop.service'],
      failedUnits: [],
    });
  });
});
