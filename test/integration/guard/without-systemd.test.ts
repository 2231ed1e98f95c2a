import { beforeAll, describe, expect, it } from 'vitest';

import type { TestHost } from '../../hosts/test-host.ts';
import { pointers, shell } from '../hosts/support.ts';
import { type Workbench, guardHost } from './support.ts';

const files = {
  one: '{ roles, ... }: { imports = [ (roles.motd "one") ]; }',
  two: '{ roles, ... }: { imports = [ (roles.motd "two") ]; }',
  hangs: '{ roles, ... }: { imports = [ (roles.motd "three") ]; activation.hang = "sleep 60"; }',
};

let host: TestHost;
let bench: Workbench;
let systems: typeof files;
/** Reaches an sshd that, and whose children, see no systemd. */
let blind: Pick<Workbench['connection'], 'port'>;

beforeAll(async () => {
  const made = await guardHost(files);
  ({ host, bench, systems } = made);
  return made.close;
});
beforeAll(async () => {
  await bench.mustSucceed(systems.one);
  blind = { port: 2222 };
  await shell(
    host,
    'systemd-run -q --unit blind-sshd unshare --mount sh -c ' +
      '"mount -t tmpfs none /run/systemd && exec /usr/sbin/sshd -D -f /etc/ssh/sshd_config -p 2222"',
  );
  await host.waitForSsh(2222);
});

describe('where there is no systemd', () => {
  it('an activation goes through', async () => {
    const connection = { ...bench.connection, ...blind };
    const { outcome } = await bench.activate(systems.two, { known: [connection], next: connection });
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    expect(await pointers(host)).toMatchObject({ current: systems.two, bootDefault: systems.two });
  });

  it('a hanging one is ended, with all that it started, and rolled back', async () => {
    const connection = { ...bench.connection, ...blind };
    const { outcome } = await bench.activate(systems.hangs, {
      known: [connection],
      next: connection,
      timeouts: { activationMs: 3_000 },
    });
    expect(outcome).toMatchObject({
      kind: 'ended',
      end: { kind: 'rolled-back', failure: { code: 'ACTIVATION_FAILED' } },
    });
    expect(await shell(host, 'pgrep -fx "sleep 60" || echo none')).toBe('none');
    expect(await pointers(host)).toMatchObject({ current: systems.two, bootDefault: systems.two });
  });

  it('one that nobody confirms is rolled back', async () => {
    const connection = { ...bench.connection, ...blind };
    const { outcome } = await bench.activate(systems.one, {
      known: [connection],
      next: { ...connection, port: 4 },
      timeouts: { confirmMs: 2_000 },
    });
    expect(outcome).toMatchObject({ end: { kind: 'rolled-back', failure: { code: 'CONFIRM_TIMEOUT' } } });
    expect(await pointers(host)).toMatchObject({ current: systems.two, bootDefault: systems.two });
  });
});
