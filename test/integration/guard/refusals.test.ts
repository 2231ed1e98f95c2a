import { beforeAll, describe, expect, it } from 'vitest';

import { compareTokens } from '../../../shared/domain/token.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { eventually } from '../../support/eventually.ts';
import { pointers, shell } from '../hosts/support.ts';
import { type Workbench, guardHost, owner } from './support.ts';

const files = {
  one: '{ roles, ... }: { imports = [ (roles.motd "one") ]; }',
  two: '{ roles, ... }: { imports = [ (roles.motd "two") ]; }',
  slow: '{ roles, ... }: { imports = [ (roles.motd "slow") ]; activation.slow = "sleep 2"; }',
};

let host: TestHost;
let bench: Workbench;
let systems: typeof files;

beforeAll(async () => {
  // As on NixOS: process 1 knows no folder with programs, so the guard has to bring its own.
  const made = await guardHost(files, { adopted: false, emptyServicePath: true });
  ({ host, bench, systems } = made);
  return made.close;
});

describe('who may activate', () => {
  it('nobody, on a host that has no owner', async () => {
    const { outcome, events } = await bench.activate(systems.one);
    expect(outcome).toMatchObject({
      kind: 'refused',
      failure: { code: 'UNMANAGED', disposition: 'stalled' },
    });
    expect(events).toEqual([]);
  });

  it('its owner, once it was adopted, where process 1 has no PATH', async () => {
    await bench.probe({ adopt: { owner, takeover: false } });
    expect((await bench.activate(systems.one)).outcome).toEqual({
      kind: 'ended',
      end: { kind: 'succeeded' },
    });
  });

  it('not another Varve, which is not made the owner by asking either', async () => {
    const foreign = await bench.activate(systems.two, { owner: 'another' });
    expect(foreign.outcome).toMatchObject({
      kind: 'refused',
      failure: { code: 'OWNED_BY', details: { owner } },
    });
    expect(await bench.probe({ adopt: { owner: 'another', takeover: false } })).toMatchObject({
      report: { owner },
    });
    expect((await pointers(host)).current).toBe(systems.one);
  });

  it('another Varve after a takeover, and the first no more', async () => {
    expect(await bench.probe({ adopt: { owner: 'another', takeover: true } })).toMatchObject({
      report: { owner: 'another' },
    });
    expect((await bench.activate(systems.two)).outcome).toMatchObject({ failure: { code: 'OWNED_BY' } });
    await bench.probe({ adopt: { owner, takeover: true } });
  });
});

describe('tokens', () => {
  it('that are not above the highest are refused, with the highest', async () => {
    const contact = await bench.probe();
    if (contact.kind !== 'reached' || contact.report.highestToken === undefined) throw new Error('no token');
    const highest = contact.report.highestToken;
    for (const token of [highest, { epoch: 0, counter: 999_999 }]) {
      expect((await bench.activate(systems.two, { token })).outcome).toMatchObject({
        kind: 'refused',
        failure: {
          code: 'TOKEN_REFUSED',
          details: { highest: `${highest.epoch} ${highest.counter}` },
        },
      });
    }
    expect((await pointers(host)).current).toBe(systems.one);
  });

  it('below a fence that a probe raised are refused', async () => {
    const late = bench.deployment(systems.two);
    const fence = { epoch: 1, counter: late.token.counter };
    const contact = await bench.probe({ fence });
    expect(contact).toMatchObject({ report: { highestToken: fence } });
    expect((await bench.activate(systems.two, late)).outcome).toMatchObject({
      kind: 'refused',
      failure: { code: 'TOKEN_REFUSED' },
    });
  });

  it('are never lowered by a fence', async () => {
    const before = await bench.probe();
    const after = await bench.probe({ fence: { epoch: 0, counter: 1 } });
    if (before.kind !== 'reached' || after.kind !== 'reached') throw new Error('unreachable');
    const [a, b] = [before.report.highestToken, after.report.highestToken];
    if (a === undefined || b === undefined) throw new Error('no token');
    expect(compareTokens(a, b)).toBe(0);
  });
});

describe('one at a time', () => {
  it('a second deployment is refused while the first awaits its acknowledgement, which is unaffected', async () => {
    const first = bench.deployment(systems.two);
    let second: unknown;
    let fenced: unknown;
    const { outcome } = await bench.activate(systems.two, {
      ...first,
      // Not reachable at first: so it stays unacknowledged while the second comes.
      next: { ...bench.connection, port: 2222 },
      onEvent: async () => {
        second = (await bench.activate(systems.one)).outcome;
        fenced = await bench.probe({ fence: { epoch: 9, counter: 9 } });
        await shell(host, '/usr/sbin/sshd -f /etc/ssh/sshd_config -p 2222');
      },
    });
    expect(second).toMatchObject({
      kind: 'refused',
      failure: { code: 'HOST_BUSY', details: { deployment: first.id } },
    });
    expect(fenced).toMatchObject({ report: { locked: true, highestToken: first.token } });
    expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    expect((await pointers(host)).current).toBe(systems.two);
  });

  it('the same deployment again gets its record back and starts nothing', async () => {
    const deployment = bench.deployment(systems.one);
    const both = await Promise.all([
      bench.activate(systems.one, deployment),
      bench.activate(systems.one, deployment),
    ]);
    for (const { outcome } of both) expect(outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    const later = await bench.activate(systems.one, deployment);
    expect(later.outcome).toEqual({ kind: 'ended', end: { kind: 'succeeded' } });
    const journal = await bench.journal(deployment.id);
    expect(journal.match(/started|switching|end/g)).toEqual(['started', 'switching', 'end']);
  });

  it('a record that was acknowledged is gone, and its deployment is not started again', async () => {
    const deployment = bench.deployment(systems.two);
    await bench.activate(systems.two, deployment);
    const before = await bench.probe();
    expect(before).toMatchObject({ kind: 'reached' });
    const after = await bench.probe({ acknowledged: [deployment.id] });
    if (before.kind !== 'reached' || after.kind !== 'reached') throw new Error('unreachable');
    expect(before.report.records.map((record) => record.deployment)).toContain(deployment.id);
    expect(after.report.records.map((record) => record.deployment)).not.toContain(deployment.id);
    expect(await shell(host, `ls /nix/var/nix/gcroots/varve | grep ${deployment.id}`)).toBe('');
    expect((await bench.activate(systems.two, deployment)).outcome).toMatchObject({
      kind: 'refused',
      failure: { code: 'TOKEN_REFUSED' },
    });
  });

  it('a worker that comes later takes the activation over and confirms it', async () => {
    const deployment = bench.deployment(systems.slow);
    const gone = new AbortController();
    const first = bench.activate(systems.slow, deployment, gone.signal);
    await eventually(async () => (await bench.journal(deployment.id)).includes('switching'), {
      deadlineMs: 10_000,
      what: 'the switch',
    });
    gone.abort();
    expect((await first).outcome.kind).toBe('unknown');
    expect((await bench.activate(systems.slow, deployment)).outcome).toEqual({
      kind: 'ended',
      end: { kind: 'succeeded' },
    });
  });
});

describe('what cannot be started', () => {
  it('a toplevel that is not on the host', async () => {
    const nowhere = `/nix/store/${'1'.repeat(32)}-nowhere`;
    expect((await bench.activate(nowhere)).outcome).toMatchObject({
      kind: 'refused',
      failure: { code: 'PUSH_FAILED', disposition: 'transient' },
    });
  });

  it.for(['bin/switch-to-configuration', 'nixos-version'])(
    'a path that is no NixOS system, for the want of its %s: nothing of the host is touched',
    async (missing) => {
      const parts =
        'cd /root/other && touch nixos-version && printf "#!/bin/sh\\n" > bin/switch-to-configuration';
      await shell(host, `rm -rf /root/other && mkdir -p /root/other/bin && ${parts} && chmod +x bin/*`);
      await shell(host, `rm /root/other/${missing}`);
      const path = await shell(host, 'nix-store --add /root/other');
      const look = 'ls -la /nix/var/nix/profiles; ls -a /nix/var/varve/records; cat /nix/var/varve/token';
      const before = [await shell(host, look), await pointers(host)];
      const { outcome, events } = await bench.activate(path);
      expect(outcome).toMatchObject({
        kind: 'refused',
        failure: {
          code: 'ACTIVATION_REFUSED',
          disposition: 'stalled',
          message: `the toplevel is no NixOS system: it has no ${missing}`,
        },
      });
      expect(events).toEqual([]);
      expect([await shell(host, look), await pointers(host)]).toEqual(before);
    },
  );

  it('anything on a host without a running system to go back to', async () => {
    await shell(host, 'mv -T /run/current-system /run/hidden-system');
    const { outcome } = await bench.activate(systems.one);
    await shell(host, 'mv -T /run/hidden-system /run/current-system');
    expect(outcome).toMatchObject({ kind: 'refused', failure: { code: 'NO_PREVIOUS_SYSTEM' } });
  });
});
