import { beforeAll, describe, expect, it } from 'vitest';

import type { Lab } from '../../hosts/lab.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { pointers, shell } from '../hosts/support.ts';
import { type Workbench, guardHost, owner } from './support.ts';

const files = {
  one: '{ roles, ... }: { imports = [ (roles.web { greeter = "1.0"; }) (roles.motd "one") ]; }',
  two: '{ roles, ... }: { imports = [ (roles.web { greeter = "2.0"; }) (roles.motd "two") ]; }',
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

describe('a host without an owner', () => {
  it('is refused until it is adopted', async () => {
    expect((await bench.activate(systems.one)).outcome).toMatchObject({
      kind: 'refused',
      failure: { code: 'UNMANAGED' },
    });
    expect(await bench.probe({ adopt: { owner, takeover: false } })).toMatchObject({
      kind: 'reached',
      report: { owner, current: lab.genesis, records: [] },
    });
  });
});

describe('a healthy activation', () => {
  it('runs, is the profile and the boot default, in one new profile generation', async () => {
    const { outcome, events } = await bench.activate(systems.one);
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    expect(events).toEqual([{ kind: 'switched', previous: lab.genesis }]);
    expect(await pointers(host)).toEqual({
      current: systems.one,
      booted: lab.genesis,
      profile: systems.one,
      bootDefault: systems.one,
    });
    expect(await shell(host, 'readlink /nix/var/nix/profiles/system')).toBe('system-2-link');
    expect(
      await shell(host, 'systemctl list-units --all --plain --no-legend "varve-*" | grep -v stage'),
    ).toBe('');
  });
});
