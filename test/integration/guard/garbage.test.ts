import { beforeAll, describe, expect, it } from 'vitest';

import { setProfile, switchTo } from '../../hosts/by-hand.ts';
import type { Lab } from '../../hosts/lab.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { aCheck } from '../../support/builders.ts';
import { pointers, shell, systemsOn } from '../hosts/support.ts';
import { type Workbench, guardHost } from './support.ts';

const files = {
  tried: '{ roles, ... }: { imports = [ (roles.motd "tried") ]; }',
  next: '{ roles, ... }: { imports = [ (roles.web { greeter = "2.0"; }) (roles.motd "next") ]; }',
  noBootLoader: '{ roles, ... }: { imports = [ (roles.motd "no") ]; system.bootLoaderFails = true; }',
};

let lab: Lab;
let host: TestHost;
let bench: Workbench;
let systems: typeof files;

beforeAll(async () => {
  const made = await guardHost(files);
  ({ lab, host, bench, systems } = made);
  return made.close;
});

/** As people do it who want room, now of all times. */
const collect = (): Promise<string> => shell(host, 'nix-collect-garbage -d 2>&1');

/** The parts of a system that are not on the host any more. */
const missing = (system: string): Promise<string> =>
  shell(host, `nix-store --query --requisites ${system} | xargs nix-store --check-validity --print-invalid`);

describe('somebody deletes all old generations and collects the garbage while an activation is under way', () => {
  it('after the switch: it goes back to just what ran before, although no generation was of that', async () => {
    // What runs is held by nothing but the record: it was only tried.
    await switchTo(host, systems.tried, 'test');
    const before = await pointers(host);
    expect(before).toMatchObject({ current: systems.tried, profile: lab.genesis });
    let said = '';
    const { outcome } = await bench.activate(systems.next, {
      checks: [aCheck({ kind: 'command', command: ['false'] }, { timeoutMs: 2_000 })],
      onEvent: async ({ kind }) => {
        if (kind === 'switched') said = await collect();
      },
    });
    expect(said).toMatch(/store paths deleted/);
    expect(outcome).toMatchObject({
      kind: 'ended',
      end: { kind: 'rolled-back', failure: { code: 'CHECK_FAILED' } },
    });
    expect(await pointers(host)).toEqual(before);
    expect(await missing(systems.tried)).toBe('');
    expect(await shell(host, 'cat /etc/motd')).toBe('tried');
  });

  it('and the boot loader fails: profile and boot default go back to a generation that is still there', async () => {
    systems = await systemsOn(lab, host, files);
    await bench.mustSucceed(systems.next);
    await setProfile(host, systems.tried);
    await setProfile(host, systems.next);
    const before = await pointers(host);
    const number = await shell(host, 'readlink /nix/var/nix/profiles/system');
    const { outcome } = await bench.activate(systems.noBootLoader, {
      onEvent: async ({ kind }) => {
        if (kind === 'switched') await collect();
      },
    });
    expect(outcome).toMatchObject({ end: { kind: 'rolled-back', failure: { code: 'BOOTLOADER_FAILED' } } });
    expect(await pointers(host)).toEqual(before);
    expect(await shell(host, 'readlink /nix/var/nix/profiles/system')).toBe(number);
    expect(await missing(systems.next)).toBe('');
  });
});
