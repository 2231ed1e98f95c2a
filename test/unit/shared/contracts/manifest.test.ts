import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { manifestJsonSchema } from '../../../../shared/contracts/manifest-schema.ts';
import { discoveredFleet, parseManifest } from '../../../../shared/contracts/manifest.ts';
import { fleetOf, hostsOf, messageOf } from '../../../support/manifests.ts';

const keyLine = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ';

describe('varve.yaml', () => {
  it('makes a host of a name alone, with every default said', () => {
    expect(hostsOf('hosts:\n  web1:\n')).toEqual([
      {
        name: 'web1',
        attribute: 'web1',
        connection: { address: 'web1', port: 22, user: 'root', hostKeys: [] },
        labels: {},
        mode: 'switch',
        checks: [],
        timeouts: {
          buildMs: 3_600_000,
          pushMs: 1_800_000,
          activationMs: 600_000,
          confirmMs: 60_000,
          settleMs: 10_000,
        },
        unitFailures: 'new',
        transport: { by: 'push', substitute: false },
        wave: 'all',
        groups: [],
        after: [],
        windows: [],
        reboot: { when: 'never', deadlineMs: 600_000, drain: undefined, undrain: undefined },
        drift: 'report',
        retention: { keep: 10, collectGarbage: false },
        runsVarve: false,
      },
    ]);
  });

  it('takes what a host says before the defaults, and time-outs one by one', () => {
    const [web1, web2] = hostsOf(`
defaults: { user: deploy, port: 2222, mode: boot, checks: [{ unit: sshd }], timeouts: { confirm: 90s, settle: 500ms } }
hosts:
  web1: { user: root, mode: test, checks: [], timeouts: { settle: 1.5s } }
  web2: { address: "2001:db8::1", checks: [{ http: { port: 8080, path: /up, status: 204 }, timeout: 2s }] }
`);
    expect(web1).toMatchObject({
      connection: { user: 'root', port: 2222 },
      mode: 'test',
      checks: [],
      timeouts: { confirmMs: 90_000, settleMs: 1_500 },
    });
    expect(web2).toMatchObject({
      connection: { user: 'deploy', address: '2001:db8::1' },
      mode: 'boot',
      checks: [{ kind: 'http', url: 'http://[2001:db8::1]:8080/up', status: 204, timeoutMs: 2_000 }],
      timeouts: { settleMs: 500 },
    });
  });

  it('reads each kind of check', () => {
    const [web1] = hostsOf(`
hosts:
  web1:
    checks:
      - unit: nginx
      - unit: backup.timer
      - http: { url: "https://example.org/up" }
      - tcp: 5432
        timeout: 3s
        interval: 500ms
        successes: 3
      - command: [/bin/true, --flag]
      - worker: is-drained
        before: true
      - prometheus: { url: "https://prometheus.example", query: 'up{job="node"}', above: 0, below: 2 }
      - prometheus: { url: "http://127.0.0.1:9090/p", query: up, equals: 0 }
`);
    const pace = { intervalMs: 1_000, timeoutMs: 10_000, successes: 1, before: false };
    expect(web1?.checks).toEqual([
      { ...pace, kind: 'unit', name: 'nginx.service' },
      { ...pace, kind: 'unit', name: 'backup.timer' },
      { ...pace, kind: 'http', url: 'https://example.org/up', status: 200 },
      { kind: 'tcp', port: 5432, intervalMs: 500, timeoutMs: 3_000, successes: 3, before: false },
      { ...pace, kind: 'command', command: ['/bin/true', '--flag'] },
      { ...pace, kind: 'worker', name: 'is-drained', before: true },
      {
        ...pace,
        kind: 'prometheus',
        url: 'https://prometheus.example',
        query: 'up{job="node"}',
        bounds: { above: 0, below: 2 },
      },
      { ...pace, kind: 'prometheus', url: 'http://127.0.0.1:9090/p', query: 'up', bounds: { equals: 0 } },
    ]);
  });

  it('keeps a host key as type and base64, without the comment of a .pub file', () => {
    const [web1] = hostsOf(`hosts: { web1: { hostKeys: ["${keyLine} root@web1"] } }`);
    expect(web1?.connection.hostKeys).toEqual([keyLine]);
  });

  it('resolves jump hosts: of the fleet by name, others as they are written, one behind the other', () => {
    const hosts = hostsOf(`
defaults: { user: deploy, port: 2222 }
hosts:
  gate: { address: gate.example, hostKeys: ["${keyLine}"], jump: { address: bastion.example, user: hop } }
  web1: { jump: gate }
  web2: { jump: gate }
`);
    const bastion = { address: 'bastion.example', port: 22, user: 'hop', hostKeys: [] };
    const shared = { port: 2222, user: 'deploy' };
    const gate = { ...shared, address: 'gate.example', hostKeys: [keyLine], via: bastion };
    const ways = hosts.map(({ connection }) => connection);
    expect(ways).toEqual([
      gate,
      { ...shared, address: 'web1', hostKeys: [], via: gate },
      { ...shared, address: 'web2', hostKeys: [], via: gate },
    ]);
    expect(ways[1]?.via).toBe(ways[2]?.via);
  });

  it('resolves the jump host of all for every host but those on the way there, unless the host says otherwise', () => {
    const hosts = hostsOf(`
defaults: { user: deploy, jump: gate }
hosts:
  direct: { jump: null }
  gate: { jump: { address: bastion.example, jump: outer } }
  other: { jump: { address: other.example } }
  outer:
  web1:
  web2: { jump: web1 }
`);
    const of = (address: string, via?: object): object => ({
      ...{ address, port: 22, user: 'deploy', hostKeys: [] },
      ...(via === undefined ? {} : { via }),
    });
    const outer = of('outer');
    const gate = of('gate', { ...of('bastion.example', outer), user: 'root' });
    const web1 = of('web1', gate);
    expect(hosts.map(({ connection }) => connection)).toEqual([
      of('direct'),
      gate,
      of('other', { ...of('other.example'), user: 'root' }),
      outer,
      web1,
      of('web2', web1),
    ]);
  });

  it('resolves a jump host of all that is in no fleet once for all', () => {
    const [web1, web2] = hostsOf(
      'defaults: { jump: { address: bastion.example } }\nhosts: { web1: , web2: }',
    );
    expect(web1?.connection.via).toMatchObject({ address: 'bastion.example', user: 'root' });
    expect(web1?.connection.via).toBe(web2?.connection.via);
  });

  it('gives the same fleet whatever the order of the hosts', () => {
    expect(fleetOf('hosts: { b: {}, a: {} }')).toEqual(fleetOf('hosts: { a: {}, b: {} }'));
  });

  it('names every unknown key with its line and column, and what was probably meant', () => {
    const message = messageOf(`version: 1
adpot: auto
hosts:
  web1:
    adress: 10.0.0.1
    timeouts: { activtion: 3m }
    checks:
      - http: { prot: 80, port: 80 }
`);
    expect(message).toContain('varve.yaml:2:1: unknown key "adpot"; did you mean `adopt`?');
    expect(message).toContain('varve.yaml:5:5: hosts.web1: unknown key "adress"; did you mean `address`?');
    expect(message).toContain(
      'varve.yaml:6:17: hosts.web1.timeouts: unknown key "activtion"; did you mean `activation`?',
    );
    expect(message).toContain(
      'varve.yaml:8:17: hosts.web1.checks.0.http: unknown key "prot"; did you mean `port`?',
    );
  });

  it('lists the known keys where nothing similar exists', () => {
    expect(messageOf('hosts: { web1: {} }\nzzzzzz: 1\n')).toContain(
      'unknown key "zzzzzz"; known here: version, flake, adopt, defaults, groups, rollout, windows, freezes, hosts',
    );
  });

  it('carries the place of the first error for programs', () => {
    const read = parseManifest('hosts:\n  web1: { prot: 1 }\n');
    expect(read).toMatchObject({
      kind: 'invalid',
      failure: {
        code: 'MANIFEST_INVALID',
        disposition: 'stalled',
        details: { line: '2', column: '11', errors: '1' },
      },
    });
  });

  it('reports broken YAML with its place', () => {
    expect(messageOf('hosts:\n  web1: {\n')).toMatch(/MANIFEST_INVALID varve\.yaml:\d+:\d+: /);
    expect(messageOf('hosts: {}\nhosts: {}\n')).toContain('varve.yaml:2:1: ');
    expect(messageOf('hosts: !!js/function "x"\n')).toMatch(/varve\.yaml:1:\d+: /);
    expect(messageOf('--- \nhosts: {a: }\n---\nhosts: {b: }\n')).toMatch(/MANIFEST_INVALID/);
  });

  it('refuses a file of aliases that would grow without end', () => {
    const levels = Array.from({ length: 12 }, (_, i) =>
      i === 0
        ? 'l0: &l0 [x, x, x, x, x, x, x, x, x]'
        : `l${i}: &l${i} [${Array(9)
            .fill(`*l${i - 1}`)
            .join(', ')}]`,
    ).join('\n');
    expect(messageOf(levels)).toContain('MANIFEST_INVALID');
  });

  it.each(['', '# nothing\n', 'hosts: {}\n', 'hosts:\n', 'version: 1\nadopt: auto\n'])(
    'blocks a fleet without hosts, with the way out: %j',
    (text) => {
      const read = parseManifest(text);
      expect(read).toMatchObject({
        kind: 'invalid',
        failure: { code: 'NO_HOSTS', disposition: 'stalled' },
      });
      if (read.kind === 'invalid') expect(read.failure.hint).toContain('revert the commit');
    },
  );

  it.each([
    ['an option as host name', 'hosts: { "--option": {} }'],
    ['a path as host name', 'hosts: { "../web1": {} }'],
    ['a newline in a host name', 'hosts: { "web1\\nweb2": {} }'],
    ['an upper-case host name', 'hosts: { Web1: {} }'],
    ['a prototype as host name', 'hosts: { __proto__: {} }'],
    ['an option as address', 'hosts: { web1: { address: "-oProxyCommand=x" } }'],
    ['a user in the address', 'hosts: { web1: { address: "root@web1" } }'],
    ['a space in the address', 'hosts: { web1: { address: "web1 x" } }'],
    ['a newline in the address', 'hosts: { web1: { address: "web1\\nx" } }'],
    ['an option as user', 'hosts: { web1: { user: "-l" } }'],
    ['a newline in the user', 'hosts: { web1: { user: "root\\n" } }'],
    ['a port that is none', 'hosts: { web1: { port: 0 } }'],
    ['a port as text', 'hosts: { web1: { port: "22" } }'],
    ['a folder outside', 'flake: { folder: ../other }\nhosts: { web1: {} }'],
    ['a folder outside in the middle', 'flake: { folder: a/../../other }\nhosts: { web1: {} }'],
    ['an absolute folder', 'flake: { folder: /etc }\nhosts: { web1: {} }'],
    ['an option as folder', 'flake: { folder: --impure }\nhosts: { web1: {} }'],
    ['a query in the folder', 'flake: { folder: "a?rev=0" }\nhosts: { web1: {} }'],
    ['code in the attribute', 'flake: { attribute: "x; abort" }\nhosts: { web1: {} }'],
    ['an option as host attribute', 'hosts: { web1: { attribute: "--x" } }'],
    ['half a host key', `hosts: { web1: { hostKeys: ["${keyLine.slice(0, 30)}"] } }`],
    [
      'a host key under another type',
      `hosts: { web1: { hostKeys: ["${keyLine.replace('ssh-ed25519', 'ssh-rsa')}"] } }`,
    ],
    ['a known_hosts line with its host', `hosts: { web1: { hostKeys: ["web1 ${keyLine}"] } }`],
    ['a duration without unit', 'hosts: { web1: { timeouts: { confirm: 60 } } }'],
    ['a duration of nothing', 'hosts: { web1: { timeouts: { confirm: 0s } } }'],
    ['an endless duration', 'hosts: { web1: { timeouts: { confirm: 9999h } } }'],
    ['two checks in one', 'hosts: { web1: { checks: [{ unit: a, tcp: 1 }] } }'],
    ['a check of nothing', 'hosts: { web1: { checks: [{}] } }'],
    ['an option as unit', 'hosts: { web1: { checks: [{ unit: "--now" }] } }'],
    ['a URL with a password', 'hosts: { web1: { checks: [{ http: { url: "http://u:p@h/" } }] } }'],
    ['a URL of another kind', 'hosts: { web1: { checks: [{ http: { url: "file:///etc/passwd" } }] } }'],
    ['an empty command', 'hosts: { web1: { checks: [{ command: [] }] } }'],
    ['a command of several lines', 'hosts: { web1: { checks: [{ command: [sh, -c, "a\\nb"] }] } }'],
    ['a worker command with a path', 'hosts: { web1: { checks: [{ worker: /bin/sh }] } }'],
    ['a worker command with arguments', 'hosts: { web1: { checks: [{ worker: [sh, -c, id] }] } }'],
    [
      'a query without bounds',
      'hosts: { web1: { checks: [{ prometheus: { url: "http://p", query: up } }] } }',
    ],
    [
      'a server with a query in its URL',
      'hosts: { web1: { checks: [{ prometheus: { url: "http://p/?a=b", query: up, above: 0 } }] } }',
    ],
    ['no success', 'hosts: { web1: { checks: [{ tcp: 1, successes: 0 }] } }'],
    ['an unknown mode', 'hosts: { web1: { mode: reboot } }'],
    ['another version', 'version: 2\nhosts: { web1: {} }'],
    ['a list', '- web1'],
  ])('refuses %s', (_, text) => {
    expect(messageOf(text)).toMatch(/^MANIFEST_INVALID varve\.yaml:\d+:\d+: /);
  });

  it('is, when absent, a fleet whose configurations are the hosts', () => {
    expect(discoveredFleet()).toMatchObject({
      flake: { folder: '.', attribute: 'nixosConfigurations' },
      adopt: 'manual',
      hosts: { kind: 'discovered', defaults: { mode: 'switch', checks: [] } },
    });
  });

  it('has an up-to-date JSON Schema for editors', async () => {
    const written = await readFile(new URL('../../../../docs/varve.schema.json', import.meta.url), 'utf8');
    expect(
      JSON.parse(written),
      'run `npx tsx shared/contracts/write-json-schema.ts` and commit docs/varve.schema.json',
    ).toEqual(JSON.parse(JSON.stringify(manifestJsonSchema())));
  });

  it('refuses a key that is there twice, at its second place', () => {
    expect(messageOf('hosts:\n  web1:\n  web2:\n  web1: { port: 22 }\n')).toContain(
      'varve.yaml:4:3: key "web1" is there twice',
    );
  });

  it.each([
    ['lists more hosts than anybody has', 'hosts:\n', (i: number) => `  h${i}:\n`, 'valid'],
    ['is wrong in every line', 'hosts:\n', (i: number) => `  h${i}: { x: 1 }\n`, 'and 19980 more'],
    ['has a list without end', '', () => '- ', 'MANIFEST_INVALID'],
    ['is nested without end', 'hosts: ', () => '{a: ', 'MANIFEST_INVALID'],
  ])('does not hold up the process with a file that %s', (_, head, line, expected) => {
    const began = performance.now();
    expect(messageOf(head + Array.from({ length: 20_000 }, (_entry, i) => line(i)).join(''))).toContain(
      expected,
    );
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
