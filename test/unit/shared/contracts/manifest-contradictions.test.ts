import { describe, expect, it } from 'vitest';
import { messageOf } from '../../../support/manifests.ts';

/** The first error, without its code. */
function errorOf(text: string): string {
  return messageOf(text).replace('MANIFEST_INVALID ', '');
}

describe('names in varve.yaml', () => {
  it.each([
    [
      'groups: { g: { hosts: [web2] } }\nhosts: { web1: }',
      'varve.yaml:1:24: groups.g.hosts.0: there is no host "web2"; did you mean `web1`?',
    ],
    [
      'groups: { routers: { hosts: [r1], after: [x, rooters] } }\nhosts: { r1: }',
      'varve.yaml:1:46: groups.routers.after.1: there is no host or group "rooters"; did you mean `routers`?',
    ],
    [
      'hosts:\n  r1:\n    after: [r2, nowhere]\n  r2:\n',
      'varve.yaml:3:17: hosts.r1.after.1: there is no host or group "nowhere"',
    ],
    [
      'rollout:\n  waves:\n    - { name: one, groups: [r1] }\nhosts: { r1: }',
      'varve.yaml:3:29: rollout.waves.0.groups.0: there is no group "r1"; that is a host',
    ],
    [
      'rollout: { waves: [{ name: one, hosts: [g] }] }\ngroups: { g: { hosts: [] } }\nhosts: { r1: }',
      'rollout.waves.0.hosts.0: there is no host "g"; that is a group',
    ],
    [
      'freezes:\n  - from: 2026-12-20T00:00:00Z\n    until: 2026-12-21T00:00:00Z\n    reason: x\n    author: y\n    group: g\nhosts: { r1: }',
      'varve.yaml:6:12: freezes.0.group: there is no group "g"',
    ],
    [
      'freezes: [{ from: 2026-12-20T00:00:00Z, until: 2026-12-21T00:00:00Z, reason: x, author: y, host: r2 }]\nhosts: { r1: }',
      'freezes.0.host: there is no host "r2"; did you mean `r1`?',
    ],
    [
      'groups:\n  r1: { hosts: [r1] }\nhosts: { r1: }',
      'varve.yaml:2:3: groups.r1: there is a host "r1" too, and commands take either by its name: call the group otherwise',
    ],
    [
      'groups:\n  fleet: { hosts: [r1] }\nhosts: { r1: }',
      'varve.yaml:2:3: groups.fleet: for commands "fleet" means all hosts: choose another name',
    ],
    [
      'hosts:\n  r1:\n    jump: gat\n  gate:\n',
      'varve.yaml:3:11: hosts.r1.jump: there is no host "gat"; did you mean `gate`?',
    ],
    [
      'hosts: { r1: { jump: { address: bastion.example, jump: gat } }, gate: }',
      'hosts.r1.jump.jump: there is no host "gat"; did you mean `gate`?',
    ],
    ['groups: { g: { hosts: [] } }\nhosts: { r1: { jump: g } }', 'there is no host "g"; that is a group'],
    ['groups: { constructor: { hosts: [toString] } }\nhosts: { r1: }', 'a host name is 1 to 63'],
    ['hosts: { r1: { after: [constructor] } }', 'there is no host or group "constructor"'],
  ])('stand for one thing: %j', (text, error) => {
    expect(errorOf(text)).toContain(error);
  });
});

describe('jump hosts in varve.yaml', () => {
  it.each([
    [
      'hosts:\n  r1:\n    jump: r1\n',
      'varve.yaml:3:11: hosts.r1.jump: hosts would be reached through each other for ever: r1 → r1 ',
    ],
    [
      'hosts: { x: { jump: a }, a: { jump: { address: out, jump: b } }, b: { jump: a } }',
      'hosts.a.jump: hosts would be reached through each other for ever: a → b → a (an arrow: goes through)',
    ],
    [
      `hosts: { ${Array.from({ length: 10 }, (_, i) => `h${i}: { jump: h${i + 1} }`).join(', ')}, h10: }`,
      'varve.yaml:1:22: hosts.h0.jump: more than 8 jump hosts, one behind the other',
    ],
    [
      'hosts: { r1: { jump: &j { address: x, jump: *j } } }',
      'varve.yaml:1:45: "j" is an alias of what it is in',
    ],
    [
      'defaults:\n  jump: gat\nhosts: { r1: , gate: }',
      'varve.yaml:2:9: defaults.jump: there is no host "gat"; did you mean `gate`?',
    ],
    [
      'defaults:\n  jump: { address: bastion.example, jump: r1 }\nhosts: { r1: { jump: r2 }, r2: { jump: r1 } }',
      'varve.yaml:3:22: hosts.r1.jump: hosts would be reached through each other for ever: r1 → r2 → r1 ',
    ],
    [
      `defaults:\n  jump: h0\nhosts: { ${Array.from({ length: 8 }, (_, i) => `h${i}: { jump: h${i + 1} }`).join(', ')}, h8: , r1: , r2: }`,
      'varve.yaml:2:9: defaults.jump: more than 8 jump hosts, one behind the other',
    ],
    ['defaults: { jump: null }\nhosts: { r1: }', 'varve.yaml:1:19: defaults.jump: a jump host is the name'],
    ['groups: { g: { hosts: [], jump: gate } }\nhosts: { gate: }', 'groups.g: unknown key "jump"'],
    ['hosts: { r1: { jump: { port: 22 } } }', 'a jump host is the name of a host, or an `address`'],
    ['hosts: { r1: { jump: { address: a, hostKeys: [x] } } }', 'hosts.r1.jump.hostKeys.0: a host key is'],
    ['hosts: { r1: { jump: Gate } }', 'hosts.r1.jump: a host name is 1 to 63'],
  ])('lead somewhere: %j', (text, error) => {
    expect(errorOf(text)).toContain(error);
  });

  it('may be eight, one behind the other', () => {
    const chain = Array.from({ length: 8 }, (_, i) => `h${i}: { jump: h${i + 1} }`).join(', ');
    expect(messageOf(`hosts: { ${chain}, h8: }`)).toBe('valid');
    expect(messageOf(`defaults: { jump: h1 }\nhosts: { ${chain}, h8: }`)).toBe('valid');
  });
});

describe('a large file', () => {
  const hosts = (says: (i: number) => string): string =>
    `hosts:\n${Array.from({ length: 10_000 }, (_, i) => `  h${i}: { ${says(i)} }\n`).join('')}`;
  const groups = Array.from({ length: 256 }, (_, i) => `  g${i}: { select: { n: ["${i % 10}", x] } }\n`);

  it.each([
    ['is wrong in every line', hosts((i) => `after: [x${i}]`), 'and 9980 more'],
    ['has many groups', `groups:\n${groups.join('')}${hosts((i) => `labels: { n: "${i % 10}" }`)}`, 'valid'],
    [
      'has too many groups',
      `groups:\n${groups.join('')}  one-more: { hosts: [] }\nhosts: { r1: }`,
      'at most 256',
    ],
  ])('does not hold up the process when it %s', (_, text, expected) => {
    const began = performance.now();
    expect(errorOf(text)).toContain(expected);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

describe('waves in varve.yaml', () => {
  it.each([
    ['[{ name: one, hosts: [r1] }, { name: one }]', 'rollout.waves.1.name: wave 1 is called "one" too'],
    [
      '[{ name: one }, { name: two }]',
      'rollout.waves.0: wave "one" selects nothing, so it is of every host that no other wave has, and must be the last',
    ],
    ['[{ name: one }, { name: two }]', 'rollout.waves.1: wave "one" selects nothing either'],
    ['[{ name: one }, { name: two, hosts: [r1] }]', 'varve.yaml:1:20: rollout.waves.0: wave "one" selects'],
    ['[{ name: rest, hosts: [r1] }]', '"rest" is the wave of all hosts that no other has'],
    ['[{ name: one, hosts: [r1], groups: [] }]', 'a wave has one of `select`, `hosts`, `groups`, or none'],
  ])('are told apart, and of different hosts: %s', (waves, error) => {
    expect(errorOf(`rollout: { waves: ${waves} }\nhosts: { r1: }`)).toContain(error);
  });

  it('are not against the dependencies', () => {
    const text = (after: string): string => `
rollout: { waves: [{ name: canary, hosts: [a, b] }] }
groups: { late: { hosts: [c, d] }, early: { hosts: [a], after: [${after}] } }
hosts: { a: , b: , c: { after: [early] }, d: }
`;
    expect(errorOf(text('b'))).toBe('valid');
    expect(errorOf(text('d'))).toContain(
      'varve.yaml:3:65: groups.early.after.0: "a" of wave "canary" would wait for "d" of wave "rest", which goes later: neither could ever begin',
    );
  });

  it('and dependencies are not against that what runs Varve goes last', () => {
    expect(errorOf('hosts: { a: { after: [v] }, v: { runsVarve: true } }')).toContain(
      'hosts.a.after.0: "a" would wait for "v", where Varve runs, which goes later: neither could ever begin',
    );
    expect(errorOf('hosts: { a: , v: { runsVarve: true, after: [a, w] }, w: { runsVarve: true } }')).toBe(
      'valid',
    );
    const text = (wave: string): string =>
      `rollout: { waves: [{ name: one, hosts: [${wave}] }] }\nhosts: { a: , b: , v: { runsVarve: true } }`;
    expect(errorOf(text('a'))).toBe('valid');
    expect(errorOf(text('a, b, v'))).toBe('valid');
    expect(errorOf(text('a, v'))).toContain(
      'hosts.v.runsVarve: where Varve runs goes last, but "v" is in wave "one", which wave "rest" waits for',
    );
  });
});

describe('checks in varve.yaml', () => {
  const often = 'checks: [{ tcp: 1, interval: 6s, successes: 10 }]';

  it.each([
    [
      `hosts:\n  r1:\n    ${often}\n`,
      'varve.yaml:3:49: hosts.r1.checks.0.successes: to pass 10 times in a row, 6s apart, takes longer than there is ' +
        'time for on host "r1", where timeouts.confirm is 1m: lower `successes` or `interval`, or make that 72s',
    ],
    [
      `defaults: { ${often} }\nhosts: { r1: }`,
      'varve.yaml:1:57: defaults.checks.0.successes: to pass 10 times',
    ],
    [
      `defaults: { timeouts: { confirm: 2m } }\ngroups: { g: { hosts: [b], ${often}, timeouts: { confirm: 40s } } }\nhosts: { a: , b: }`,
      'varve.yaml:2:72: groups.g.checks.0.successes: to pass 10 times in a row, 6s apart, takes longer than there is time for on host "b", where timeouts.confirm is 40s',
    ],
    [
      `defaults: { ${often}, timeouts: { confirm: 2m } }\nhosts: { a: , b: { timeouts: { confirm: 5s } } }`,
      'defaults.checks.0.successes: to pass 10 times in a row, 6s apart, takes longer than there is time for on host "b"',
    ],
    [
      'hosts: { r1: { checks: [{ tcp: 1, before: true, interval: 6s, successes: 11 }] } }',
      'hosts.r1.checks.0.successes: to pass 11 times',
    ],
  ])('can pass as often as they must before their host is given up: %j', (text, error) => {
    expect(errorOf(text)).toContain(error);
  });

  it.each([
    'hosts: { r1: { checks: [{ tcp: 1, interval: 1h }] } }',
    'hosts: { r1: { checks: [{ tcp: 1, interval: 6s, successes: 9 }] } }',
    'hosts: { r1: { checks: [{ tcp: 1, before: true, interval: 6s, successes: 10 }] } }',
    `hosts: { r1: { ${often}, timeouts: { confirm: 72s } } }`,
    `defaults: { ${often} }\nhosts: { r1: { timeouts: { confirm: 2m } } }`,
    `defaults: { ${often} }\nhosts: { r1: { checks: [] } }`,
  ])('are left alone where there is time enough: %j', (text) => {
    expect(errorOf(text)).toBe('valid');
  });

  it('are complained of once, however many hosts have them', () => {
    const hosts = Array.from({ length: 10_000 }, (_, i) => `  h${i}: {}`).join('\n');
    const began = performance.now();
    expect(errorOf(`defaults: { ${often} }\nhosts:\n${hosts}`)).toMatch(/^varve\.yaml:1:57: .*72s$/);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

describe('circles of dependencies', () => {
  it.each([
    ['hosts: { a: { after: [b] }, b: { after: [a] } }', 'hosts.a.after.0: ', 'a → b → a'],
    ['hosts: { a: { after: [a] } }', 'hosts.a.after.0: ', 'a → a'],
    ['hosts: { a: { after: [b] }, b: { after: [c] }, c: { after: [b] } }', 'hosts.b.after.0: ', 'b → c → b'],
    ['groups: { g: { hosts: [] , after: [g] } }\nhosts: { a: }', 'groups.g.after.0: ', 'g → g'],
    [
      'groups: { g: { hosts: [x], after: [h] }, h: { hosts: [], after: [g] } }\nhosts: { x: }',
      'groups.g.after.0: ',
      'g → h → g',
    ],
    ['groups: { g: { hosts: [a, b] } }\nhosts: { a: { after: [g] }, b: }', 'hosts.a.after.0: ', 'a → g → a'],
    [
      'groups: { g: { hosts: [a], after: [h] }, h: { hosts: [a, b] } }\nhosts: { a: , b: }',
      'groups.g.after.0: ',
      'g → h → a → g',
    ],
    [
      'groups: { g: { hosts: [a], after: [b] } }\nhosts: { a: , b: { after: [a] } }',
      'groups.g.after.0: ',
      'g → b → a → g',
    ],
  ])('are refused and shown: %j', (text, place, circle) => {
    expect(errorOf(text)).toContain(place);
    expect(errorOf(text)).toContain(`for ever: ${circle} (an arrow`);
  });

  it('are refused however long they are', () => {
    const chain = Array.from({ length: 10_000 }, (_, i) => `  h${i}: { after: [h${(i + 1) % 10_000}] }`);
    expect(errorOf(`hosts:\n${chain.join('\n')}`)).toContain(
      'varve.yaml:2:17: hosts.h0.after.0: hosts would wait for each other for ever: h0 → h1 → ',
    );
  });

  it('do not come of waiting for the same twice', () => {
    const text = `
groups: { g: { hosts: [a, b] }, h: { hosts: [c, d], after: [g, a] } }
hosts: { a: , b: { after: [a] }, c: , d: { after: [c, b] } }
`;
    expect(errorOf(text)).toBe('valid');
  });

  it('are not the only way to have too many dependencies', () => {
    const names = (from: string): string[] => Array.from({ length: 2_000 }, (_, i) => `${from}${i}`);
    const text = [
      'groups: { all: { select: { all: "yes" } } }',
      'hosts:',
      ...names('a').map((name) => `  ${name}: { labels: { all: "yes" } }`),
      ...names('b').map((name, i) => `  ${name}: { after: [all${i === 0 ? '' : `, b${i - 1}`}] }`),
    ].join('\n');
    expect(errorOf(text)).toContain('varve.yaml:2:1: hosts: `after` makes 4001999 dependencies');
  });
});

describe('values of the policy', () => {
  const host = (says: string): string => `hosts:\n  r1: { ${says} }\n`;
  const freeze = (says: string): string => `freezes: [{ ${says}, reason: x, author: y }]\nhosts: { r1: }`;
  const cron = 'write when it opens as cron does, in five fields';

  it.each([
    [
      host('windows: [{ allow: "0 0 22 * * *", for: 1h }]'),
      `varve.yaml:2:28: hosts.r1.windows.0.allow: ${cron}`,
    ],
    [host('windows: [{ deny: "0 22 * *", for: 1h }]'), cron],
    [host('windows: [{ deny: "61 22 * * *", for: 1h }]'), cron],
    [host('windows: [{ deny: "@daily", for: 1h }]'), cron],
    [host('windows: [{ deny: "2026-01-01T00:00:00 0 0 0 0", for: 1h }]'), cron],
    [host('windows: [{ deny: "0 22 * * *", for: 169h }]'), 'at most a week'],
    [host('windows: [{ deny: "0 22 * * *" }]'), 'hosts.r1.windows.0.for: '],
    [host('windows: [{ for: 1h }]'), 'a window is either `allow` or `deny`'],
    [host('windows: [{ allow: "0 1 * * *", deny: "0 2 * * *", for: 1h }]'), 'either `allow` or `deny`'],
    [
      host('windows: [{ allow: "0 1 * * *", for: 1h, timeZone: Europe/Berlim }]'),
      'hosts.r1.windows.0.timeZone: unknown time zone; did you mean `Europe/Berlin`?',
    ],
    [host('windows: [{ allow: "0 1 * * *", for: 1h, timeZone: "+01:00" }]'), 'such as Europe/Berlin or UTC'],
    [
      freeze('from: 2026-12-20T00:00:00Z, until: 2026-12-20T01:00:00+01:00'),
      'freezes.0.until: `until` is not after `from`',
    ],
    [
      freeze('from: 2026-12-20, until: 2026-12-21T00:00:00Z'),
      'freezes.0.from: write an instant with its zone',
    ],
    [
      freeze('from: 2026-12-20T00:00:00Z, until: 2026-12-21T00:00:00Z, host: r1, group: g'),
      'of a `host`, of a `group`, or of neither',
    ],
    [
      `rollout: { maxUnavailable: 0 }\n${host('')}`,
      'varve.yaml:1:28: rollout.maxUnavailable: with 0 no host could ever be updated',
    ],
    [`rollout: { maxUnavailable: 0% }\n${host('')}`, 'with 0 no host could ever be updated'],
    [`rollout: { maxUnavailable: 101% }\n${host('')}`, 'a share from 1% to 100%'],
    [`rollout: { maxUnavailable: 1.5 }\n${host('')}`, 'a share from 1% to 100%'],
    [`rollout: { maxUnavailable: few }\n${host('')}`, 'a share from 1% to 100%'],
    [`rollout: { maxUnavailable: [1] }\n${host('')}`, 'a share from 1% to 100%'],
    [`rollout: { failureThreshold: 0 }\n${host('')}`, 'every wave would have failed before it begins'],
    [`rollout: { rebootsAtOnce: 0 }\n${host('')}`, 'with 0 no host could ever reboot'],
    [`groups: { g: { hosts: [], maxUnavailable: 0 } }\n${host('')}`, 'with 0 no host could ever be updated'],
    [`groups: { g: { approval: true } }\n${host('')}`, 'say which hosts are in the group'],
    [`groups: { g: { hosts: [], select: { a: b } } }\n${host('')}`, 'either `select` or `hosts`'],
    [`groups: { g: { select: {} } }\n${host('')}`, 'select by at least one label'],
    [`groups: { g: { select: { a: 1 } } }\n${host('')}`, 'a label to select by is text, or a list of texts'],
    [`groups: { G: { hosts: [] } }\n${host('')}`, '"G": a group name is 1 to 63'],
    [`rollout: { waves: [{ name: "a b" }] }\n${host('')}`, 'a wave name is 1 to 63'],
    [
      `rollout: { waves: [{ name: a, sock: 1m }] }\n${host('')}`,
      'rollout.waves.0: unknown key "sock"; did you mean `soak`?',
    ],
    [host('reboot: { drain: { command: [a], workerCommand: b } }'), 'either `command` or `workerCommand`'],
    [host('reboot: { drain: { workerCommand: "--x" } }'), 'a worker command is named by'],
    [host(`reboot: { drain: { command: [drain, ${'ж'.repeat(751)}] } }`), 'not longer than 1500 bytes'],
    [host('reboot: { when: always }'), 'hosts.r1.reboot.when: '],
    [host('retention: { keep: 0 }'), 'keep at least 1 generation'],
  ])('are refused with their place and a way out: %j', (text, error) => {
    expect(messageOf(text)).toMatch(/^MANIFEST_INVALID varve\.yaml:\d+:\d+: /);
    expect(errorOf(text)).toContain(error);
  });
});
