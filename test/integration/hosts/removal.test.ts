import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { switchTo } from '../../hosts/by-hand.ts';
import type { Lab } from '../../hosts/lab.ts';
import { createLab } from '../../hosts/lab.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { eventually } from '../../support/eventually.ts';
import { shell, systemsOn } from './support.ts';

const roles = `
    (roles.web { greeter = "1.0"; })
    (roles.batch { greeter = "2.0"; every = "1s"; })
    (roles.motd "hello")
    (roles.sshUser { name = "ada"; key = "ssh-ed25519 AAAA ada"; })
    (roles.sshUser { name = "deploy"; uid = 0; key = "ssh-ed25519 AAAA deploy"; })`;
const files = {
  full: `{ roles, ... }: { imports = [ ${roles} ]; etc."deep/down/here".text = "x"; }`,
  bare: '{ }',
  fileBecomesCopy: '{ etc."one".text = "a"; etc."two" = { text = "b"; mode = "0600"; }; }',
  copyBecomesFile: '{ etc."one" = { text = "a"; mode = "0600"; }; etc."two".text = "b"; }',
};

let lab: Lab;
let host: TestHost;
let systems: typeof files;

beforeAll(async () => {
  lab = await createLab({ hosts: ['h1'] });
  host = lab.host('h1');
  systems = await systemsOn(lab, host, files);
  await switchTo(host, systems.bare, 'switch');
});
afterAll(() => lab.close());

// All that a toplevel may leave behind: files, accounts, what runs.
const traces = (): Promise<string> =>
  shell(
    host,
    [
      'find /etc \\( -name "*.new" -o -lname "/etc/static/*" -o -path "/etc/ssh/*" -o -path "/etc/deep*" \\) -printf "%p %l %m\\n" | sort',
      'sort /etc/passwd /etc/group',
      'cut -d: -f1 /etc/shadow | sort',
      'systemctl list-units --plain --no-legend --state=active --type=service,timer | cut -d" " -f1 | grep -v tmpfiles',
      'ls /run/current-system/sw/bin',
    ].join('; '),
  );

describe('roles that are no longer in the toplevel', () => {
  it('leave nothing on the host but their state in /var/lib', async () => {
    const before = await traces();
    expect(await switchTo(host, systems.full, 'switch')).toMatchObject({ code: 0 });
    await eventually(async () => (await shell(host, 'cat /var/lib/batch/runs')) !== '', {
      what: 'the batch job',
      deadlineMs: 10_000,
    });
    const during = await traces();
    for (const trace of [
      '/etc/motd',
      '/etc/deep/down/here',
      '/etc/ssh/authorized_keys.d/ada',
      '/etc/systemd/system/web.service',
      'web.service',
      'batch.timer',
      'greeter-1.0',
      'greeter-2.0',
    ]) {
      expect(during).toContain(trace);
    }
    const account = await shell(host, 'id web; stat -c %U /var/lib/web/starts; id -un 0; id -u deploy');
    expect(account).toMatch(/^uid=\d+\(web\) gid=\d+\(web\) .*\nweb\nroot\n0$/);

    expect(await switchTo(host, systems.bare, 'switch')).toMatchObject({ code: 0 });
    expect(await traces()).toBe(before);
    expect(await shell(host, 'pgrep -x busybox || echo none')).toBe('none');
    expect(await shell(host, 'cat /var/lib/web/starts')).toBe('started');

    expect(await switchTo(host, systems.full, 'switch')).toMatchObject({ code: 0 });
    expect((await traces()).split('\n').filter((line) => !during.includes(line))).toEqual([]);
    expect(await shell(host, 'id web; stat -c %U /var/lib/web/starts; id -un 0; id -u deploy')).toBe(account);
    expect(await shell(host, 'cat /var/lib/web/starts')).toBe('started\nstarted');
  });

  it('let a file be a link or a copy, whatever it was before', async () => {
    const look = 'stat -c "%F %a" /etc/one /etc/two; cat /etc/one /etc/two';
    for (let round = 0; round < 2; round += 1) {
      await switchTo(host, systems.fileBecomesCopy, 'test');
      expect(await shell(host, look)).toBe('symbolic link 777\nregular file 600\nab');
      await switchTo(host, systems.copyBecomesFile, 'test');
      expect(await shell(host, look)).toBe('regular file 600\nsymbolic link 777\nab');
    }
    await switchTo(host, systems.bare, 'test');
    expect(await shell(host, 'ls /etc/one /etc/two 2>/dev/null')).toBe('');
  });

  it('leave accounts alone that no toplevel ever declared', async () => {
    await shell(host, 'useradd --system guest-of-the-admin');
    for (const system of [systems.full, systems.bare]) await switchTo(host, system, 'test');
    expect(await shell(host, 'id -un guest-of-the-admin')).toBe('guest-of-the-admin');
  });
});
