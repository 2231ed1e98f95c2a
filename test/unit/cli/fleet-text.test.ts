import { describe, expect, test } from 'vitest';
import { policyText } from '../../../cli/commands/fleet-text.ts';
import { createTerminal } from '../../../cli/terminal.ts';
import { fleetOf } from '../../support/manifests.ts';

const nowhere = { write: () => true };
const plain = createTerminal({ stdout: nowhere, stderr: nowhere, env: {} });

function textOf(manifest: string): readonly string[] {
  const fleet = fleetOf(manifest);
  return policyText(fleet, fleet.hosts.kind === 'listed' ? fleet.hosts.list : [], plain);
}

describe('what validate understood of the policy', () => {
  test('is one line where nothing is said', () => {
    expect(textOf('hosts: { web1: , web2: }')).toEqual([
      '',
      'a release goes to every host at once; a failed host stops no other; 1 reboot at once',
    ]);
  });

  test('is every wave, group, dependency, window and freeze, with its hosts', () => {
    const lines = textOf(`
groups:
  routers: { select: { role: router }, maxUnavailable: 50% }
  webs:
    select: { role: web }
    after: [routers]
    approval: true
    windows: [{ allow: "0 22 * * 1-5", for: 8h, timeZone: Europe/Berlin }, { deny: "0 0 * * *", for: 30m }]
  nobody: { hosts: [] }
rollout:
  waves: [{ name: canary, hosts: [r1], soak: 10m, maxUnavailable: 1 }, { name: rest, approval: true }]
  maxUnavailable: 25%
  failureThreshold: 2
freezes:
  - { from: 2026-12-20T00:00:00Z, until: 2027-01-02T00:00:00Z, reason: holidays, author: ada, group: webs }
hosts:
  r1: { labels: { role: router } }
  r2: { labels: { role: router } }
  w1: { labels: { role: web } }
  w2: { labels: { role: web }, windows: [{ deny: "0 0 * * *", for: 30m }] }
`).map((line) => line.replaceAll(/ {2,}/g, ' | '));
    expect(lines).toEqual([
      '',
      'a release goes through 2 waves; at most 25% of the fleet in work or unhealthy; a wave with 2 hosts failed stops the rollout; 1 reboot at once',
      '',
      'WAVE | AT ONCE | SOAK | APPROVAL | HOSTS | WHICH',
      'canary | 1 | 10 min | - | 1 | r1',
      'rest | - | - | needed | 3 | r2, w1, w2',
      '',
      'GROUP | AT ONCE | APPROVAL | HOSTS | WHICH',
      'routers | 50% | - | 2 | r1, r2',
      'webs | - | needed | 2 | w1, w2',
      'nobody | - | - | 0 | -',
      '',
      'AFTER | HOSTS | WHICH',
      'r1, r2 | 2 | w1, w2',
      '',
      'WINDOW | HOSTS | WHICH',
      'allow 0 22 * * 1-5 for 8 h (Europe/Berlin) | 1 | w1',
      'deny 0 0 * * * for 30 min (UTC) | 2 | w1, w2',
      '',
      'FROZEN | FROM | UNTIL | BY | WHY',
      'group webs | 2026-12-20T00:00:00.000Z | 2027-01-02T00:00:00.000Z | ada | holidays',
    ]);
  });

  test('names a dozen hosts of many', () => {
    const hosts = Array.from({ length: 20 }, (_, i) => `h${String(i).padStart(2, '0')}: `);
    const text = textOf(`groups: { all: { hosts: [${hosts.map((host) => host.slice(0, 3)).join(', ')}] } }
hosts: { ${hosts.join(', ')} }`).join('\n');
    expect(text).toMatch(/ 20 {2}h00, h01, .*h11, \S+ and 8 more$/m);
  });
});
