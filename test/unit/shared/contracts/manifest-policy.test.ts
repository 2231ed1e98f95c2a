import { describe, expect, it } from 'vitest';
import { discoveredFleet } from '../../../../shared/contracts/manifest.ts';
import { plainRollout } from '../../../../shared/domain/policy.ts';
import { fleetOf, hostsOf } from '../../../support/manifests.ts';

/** Host → what is asked of it. */
function ofHosts<Key extends keyof ReturnType<typeof hostsOf>[number]>(text: string, key: Key) {
  return Object.fromEntries(hostsOf(text).map((host) => [host.name, host[key]]));
}

const sites = `
hosts:
  a1: { labels: { tier: canary, role: web } }
  r1: { labels: { role: router } }
  f1: { labels: { role: firewall } }
  w1: { labels: { role: web } }
  x1:
`;

describe('rollouts in varve.yaml', () => {
  it('are of every host at once, and go on after a failure, where nothing is said of them', () => {
    expect(fleetOf(sites).rollout).toEqual(plainRollout);
    expect(discoveredFleet().rollout).toEqual(plainRollout);
    expect(ofHosts(sites, 'wave')).toMatchObject({ a1: 'all', x1: 'all' });
  });

  it('halt at a failure as soon as there is a word of them', () => {
    expect(fleetOf(`rollout: {}\n${sites}`).rollout).toEqual({ ...plainRollout, onFailure: 'halt' });
    expect(ofHosts(`rollout: {}\n${sites}`, 'wave')).toMatchObject({ a1: 'all' });
  });

  it('keep what is said of them', () => {
    const { rollout, groups } = fleetOf(`
rollout:
  waves:
    - { name: canary, select: { tier: canary }, soak: 10m }
    - { name: early, groups: [edge], maxUnavailable: 1, approval: true }
    - { name: late }
  maxUnavailable: 25%
  onFailure: rollback-wave
  failureThreshold: 10%
  rebootsAtOnce: 3
groups:
  edge: { select: { role: [router, firewall] }, maxUnavailable: 50%, approval: true }
  all-webs: { select: { role: web } }
${sites}`);
    expect(rollout).toEqual({
      waves: [
        { name: 'canary', maxUnavailable: undefined, soakMs: 600_000, approval: false },
        { name: 'early', maxUnavailable: { unit: 'hosts', value: 1 }, soakMs: 0, approval: true },
        { name: 'late', maxUnavailable: undefined, soakMs: 0, approval: false },
      ],
      maxUnavailable: { unit: 'percent', value: 25 },
      onFailure: 'rollback-wave',
      failureThreshold: { unit: 'percent', value: 10 },
      rebootsAtOnce: 3,
    });
    expect(groups).toEqual([
      { name: 'edge', maxUnavailable: { unit: 'percent', value: 50 }, approval: true },
      { name: 'all-webs', maxUnavailable: undefined, approval: false },
    ]);
  });

  it('put a host into the first wave that selects it, and what none selects into the rest', () => {
    const text = `
rollout:
  waves:
    - { name: canary, select: { tier: canary } }
    - { name: webs, select: { role: web } }
    - { name: edge, groups: [edge] }
    - { name: named, hosts: [w1] }
groups: { edge: { hosts: [f1, r1] } }
${sites}`;
    expect(ofHosts(text, 'wave')).toEqual({ a1: 'canary', f1: 'edge', r1: 'edge', w1: 'webs', x1: 'rest' });
    expect(fleetOf(text).rollout.waves.map(({ name }) => name)).toEqual([
      'canary',
      'webs',
      'edge',
      'named',
      'rest',
    ]);
  });

  it('have no second rest where one is written', () => {
    const text = `rollout: { waves: [{ name: one, hosts: [x1] }, { name: rest, soak: 1m }] }\n${sites}`;
    expect(fleetOf(text).rollout.waves).toMatchObject([{ name: 'one' }, { name: 'rest', soakMs: 60_000 }]);
  });

  it('select by all labels of a selection, and by any value of a list', () => {
    const text = `
groups:
  canary-webs: { select: { tier: canary, role: web } }
  edge: { select: { role: [router, firewall] } }
  nobody: { select: { role: nothing } }
${sites}`;
    expect(ofHosts(text, 'groups')).toEqual({
      a1: ['canary-webs'],
      f1: ['edge'],
      r1: ['edge'],
      w1: [],
      x1: [],
    });
  });
});

describe('what a host gets', () => {
  it('is what it says itself, else the last of its groups in the file, else the defaults', () => {
    const [both, first, none] = hostsOf(`
defaults: { mode: boot, checks: [{ unit: sshd }], drift: heal, unitFailures: any, retention: { keep: 3 } }
windows: [{ allow: "0 22 * * *", for: 8h }]
groups:
  one: { hosts: [both, first], mode: test, checks: [], drift: report, timeouts: { settle: 1s, confirm: 2s } }
  two: { hosts: [both], drift: heal, timeouts: { settle: 3s }, windows: [], retention: { collectGarbage: true } }
hosts:
  both: { mode: dry-activate, unitFailures: ignore, runsVarve: true }
  first: { windows: [{ deny: "0 8 * * 1-5", for: 9h, timeZone: Europe/Berlin }] }
  none:
`);
    expect(both).toMatchObject({
      mode: 'dry-activate',
      checks: [],
      drift: 'heal',
      unitFailures: 'ignore',
      timeouts: { settleMs: 3_000, confirmMs: 2_000, buildMs: 3_600_000 },
      windows: [],
      retention: { keep: 3, collectGarbage: true },
      groups: ['one', 'two'],
      runsVarve: true,
    });
    expect(first).toMatchObject({
      mode: 'test',
      drift: 'report',
      unitFailures: 'any',
      windows: [
        { kind: 'deny', schedule: '0 8 * * 1-5', durationMs: 9 * 3_600_000, timeZone: 'Europe/Berlin' },
      ],
      runsVarve: false,
    });
    expect(none).toMatchObject({
      mode: 'boot',
      checks: [{ kind: 'unit', name: 'sshd.service' }],
      windows: [{ kind: 'allow', schedule: '0 22 * * *', durationMs: 8 * 3_600_000, timeZone: 'UTC' }],
    });
  });

  it('is the way in which closures get there, and what is published for it is fetched', () => {
    const hosts = hostsOf(`
defaults: { substituteOnHost: true }
groups:
  far: { hosts: [a, b], transport: cache, substituteOnHost: false }
hosts:
  a:
  b: { transport: push }
  c:
  d: { substituteOnHost: false }
`);
    expect(Object.fromEntries(hosts.map(({ name, transport }) => [name, transport]))).toEqual({
      a: { by: 'cache', substitute: true },
      b: { by: 'push', substitute: false },
      c: { by: 'push', substitute: true },
      d: { by: 'push', substitute: false },
    });
    expect(() => hostsOf('hosts: { a: { transport: carrier-pigeon } }')).toThrow(/transport/);
  });

  it('is a reboot policy part by part', () => {
    const [r1, r2] = hostsOf(`
defaults: { reboot: { when: window, drain: { command: [drain, "--all"] } } }
hosts:
  r1: { reboot: { deadline: 20m, undrain: { workerCommand: lb-in, timeout: 10s } } }
  r2:
`);
    expect(r1?.reboot).toEqual({
      when: 'window',
      deadlineMs: 1_200_000,
      drain: { kind: 'command', command: ['drain', '--all'], timeoutMs: 300_000 },
      undrain: { kind: 'worker-command', name: 'lb-in', timeoutMs: 10_000 },
    });
    expect(r2?.reboot).toMatchObject({ when: 'window', deadlineMs: 600_000, undrain: undefined });
  });

  it('is what it comes after, by itself and by its groups, as hosts', () => {
    const text = `
groups:
  core: { hosts: [c2, c1] }
  edge: { hosts: [e1, e2], after: [core, x1] }
hosts: { c1: , c2: , e1: , e2: { after: [e1] }, x1: { after: [c1] } }
`;
    expect(ofHosts(text, 'after')).toEqual({
      c1: [],
      c2: [],
      e1: ['c1', 'c2', 'x1'],
      e2: ['c1', 'c2', 'e1', 'x1'],
      x1: ['c1'],
    });
  });
});

describe('freezes in varve.yaml', () => {
  it('are of a host, of a group or of the fleet, between two instants', () => {
    const { freezes } = fleetOf(`
freezes:
  - { from: 2026-12-20T00:00:00Z, until: 2027-01-02T00:00:00+01:00, reason: holidays, author: ada }
  - { from: 2026-12-20T00:00:00Z, until: 2026-12-21T00:00:00Z, reason: audit, author: bob, group: edge }
  - { from: 2026-12-20T00:00:00Z, until: 2026-12-21T00:00:00Z, reason: audit, author: bob, host: r1 }
groups: { edge: { hosts: [r1] } }
${sites}`);
    expect(freezes).toEqual([
      {
        from: Date.UTC(2026, 11, 20),
        until: Date.UTC(2027, 0, 1, 23),
        reason: 'holidays',
        author: 'ada',
        scope: { kind: 'fleet' },
      },
      expect.objectContaining({ scope: { kind: 'group', group: 'edge' } }),
      expect.objectContaining({ scope: { kind: 'host', host: 'r1' } }),
    ]);
  });
});

describe('a fleet of 10,000 hosts', () => {
  const count = 10_000;
  const text = [
    'rollout: { waves: [{ name: canary, select: { n: "0" } }, { name: routers, groups: [routers] }] }',
    'groups:',
    '  routers: { select: { n: ["1", "2", "3"] } }',
    '  others: { select: { n: ["4", "5", "6", "7", "8", "9"] }, after: [routers] }',
    'windows: [{ allow: "0 22 * * *", for: 8h, timeZone: Europe/Berlin }]',
    'hosts:',
    ...Array.from({ length: count }, (_, i) => `  h${i}: { labels: { n: "${i % 10}" } }`),
  ].join('\n');

  it('shares what its hosts have in common', () => {
    const hosts = hostsOf(text);
    const others = hosts.filter(({ groups }) => groups.includes('others'));
    expect(others).toHaveLength(6_000);
    expect(others[0]?.after).toHaveLength(3_000);
    expect(new Set(others.map(({ after }) => after)).size).toBe(1);
    expect(new Set(hosts.map(({ windows }) => windows)).size).toBe(1);
  });

  it('is read in seconds, were it one long chain', () => {
    const chain = Array.from(
      { length: count },
      (_, i) => `  h${i}: { after: [h${i + 1}], windows: [{ allow: "0 22 * * *", for: 8h, timeZone: UTC }] }`,
    ).join('\n');
    const began = performance.now();
    expect(hostsOf(`hosts:\n${chain}\n  h${count}:\n`)).toHaveLength(count + 1);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
