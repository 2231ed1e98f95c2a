import { beforeAll, expect, it } from 'vitest';

import type { ProbeReport } from '../../../shared/domain/contact.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { shell } from '../hosts/support.ts';
import { type Workbench, guardHost } from './support.ts';

const night = 'specialisation.night = { etc."shift".text = "night"; };';
const files = {
  old: `{ roles, ... }: { imports = [ (roles.motd "old") ]; ${night} }`,
  new: `{ roles, ... }: { imports = [ (roles.motd "new") ]; system.kernel = "6.6.2"; ${night} }`,
  broken: `{ roles, ... }: { imports = [ (roles.motd "broken") ]; faults.switch = 2; ${night} }`,
  without: '{ roles, ... }: { imports = [ (roles.motd "without") ]; }',
};
const done = { kind: 'ended', end: { kind: 'succeeded' } };

let host: TestHost;
let bench: Workbench;
let systems: typeof files;

const nightOf = (toplevel: string): Promise<string> =>
  shell(host, `readlink -e ${toplevel}/specialisation/night`);
const runs = (): Promise<string> => shell(host, 'readlink -e /run/current-system');
const report = async (): Promise<ProbeReport> => {
  const contact = await bench.probe();
  if (contact.kind !== 'reached') throw new Error(contact.failure.message);
  return contact.report;
};

beforeAll(async () => {
  const made = await guardHost(files);
  ({ host, bench, systems } = made);
  return made.close;
});
beforeAll(async () => {
  await bench.mustSucceed(systems.old);
  await shell(host, `${systems.old}/specialisation/night/bin/switch-to-configuration test 2>/dev/null`);
});

it('a host that somebody switched to a part of its system still runs that system', async () => {
  expect(await runs()).toBe(await nightOf(systems.old));
  const { old } = systems;
  expect(await report()).toMatchObject({ current: old, profile: old, bootDefault: old });
});

it('what goes wrong ends in exactly the part that ran', async () => {
  const { outcome } = await bench.activate(systems.broken);
  expect(outcome).toMatchObject({ kind: 'ended', end: { kind: 'rolled-back' } });
  expect(await runs()).toBe(await nightOf(systems.old));
});

it('a switch keeps the part, and makes the whole lasting', async () => {
  expect((await bench.activate(systems.new)).outcome).toEqual(done);
  expect(await runs()).toBe(await nightOf(systems.new));
  expect(await shell(host, 'cat /etc/shift')).toBe('night');
  const current = systems.new;
  expect(await report()).toMatchObject({ current, profile: current, bootDefault: current });
});

it('a reboot keeps it too, where the boot loader can start it once', async () => {
  expect((await report()).rebootNeeded).toEqual(['kernel', 'initrd', 'kernel-modules']);
  const reboot = { deadlineMs: 60_000, drain: undefined, undrain: undefined };
  expect((await bench.activate(systems.new, { action: 'reboot', reboot })).outcome).toEqual(done);
  expect(await runs()).toBe(await nightOf(systems.new));
  expect(await report()).toMatchObject({
    current: systems.new,
    booted: systems.new,
    bootDefault: systems.new,
    rebootNeeded: [],
  });
});

it('a system that has no such part runs as a whole, and the log says so', async () => {
  const { outcome, log } = await bench.activate(systems.without);
  expect(outcome).toEqual(done);
  expect(log.join('\n')).toContain('has no specialisation night');
  expect(await runs()).toBe(systems.without);
});
