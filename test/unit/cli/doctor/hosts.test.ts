import { describe, expect, test } from 'vitest';
import { hostFindings } from '../../../../cli/doctor/hosts.ts';
import type { HostStatus } from '../../../../shared/contracts/api.ts';
import { aHost } from '../../../support/fake-fleet.ts';

const now = Date.UTC(2026, 10, 22, 12, 0, 10);

/** One line a finding: grade, what was found, and what to do. */
function judged(change: Partial<HostStatus>, could = { beAsked: true }): readonly string[] {
  const since = could.beAsked ? now - 1_000 : undefined;
  const host = aHost('web1', {
    probeAskedAt: now,
    lastContactAt: now,
    freeBytes: 20 * 1024 ** 3,
    nixVersion: '2.18.1',
    ...change,
  });
  return hostFindings(host, { now, since }).map(
    ({ grade, found, advice }) => `${grade}: ${found}${advice === undefined ? '' : ` -> ${advice}`}`,
  );
}

describe('a host', () => {
  test('with nothing wrong is good, and says how much room it has', () => {
    expect(judged({})).toEqual(['good: reached just now, 20.0 GiB free, runs what Git says']);
  });

  test.each<[string, Partial<HostStatus>, readonly string[]]>([
    [
      'that is out of reach, with its code and what to do',
      {
        health: 'Unreachable',
        verdict: 'unreachable',
        failure: {
          code: 'HOST_KEY_MISMATCH',
          disposition: 'stalled',
          message: 'it shows another key\nthan pinned',
          hint: 'compare the keys',
        },
        until: now + 40_000,
      },
      [
        'bad: HOST_KEY_MISMATCH it shows another key (reached just now; tried again in 40 s) -> compare the keys',
      ],
    ],
    [
      'that is out of reach for no known reason',
      { health: 'Unreachable', verdict: 'unreachable', lastContactAt: undefined },
      ['bad: unreachable (never reached) -> is root@web1.example:22 up?'],
    ],
    [
      'that nobody owns',
      { verdict: 'unmanaged', sync: 'OutOfSync' },
      ['note: it has no owner yet, so it is not changed -> varve adopt web1'],
    ],
    [
      'that another Varve owns',
      {
        verdict: 'stalled',
        sync: 'Stalled',
        failure: { code: 'OWNED_BY', disposition: 'stalled', message: 'another Varve (owner x) has it' },
      },
      ['bad: OWNED_BY another Varve (owner x) has it -> varve adopt web1 --takeover, if it is to be yours'],
    ],
    [
      'that has drifted',
      {
        verdict: 'stalled',
        sync: 'Stalled',
        failure: { code: 'DRIFTED', disposition: 'stalled', message: 'it runs something else' },
      },
      [
        'bad: DRIFTED it runs something else -> varve retry web1 brings it back; varve why web1 says what differs',
      ],
    ],
    [
      'with little room',
      { freeBytes: 3 * 1024 ** 3 },
      [
        'note: only 3.0 GiB (3221225472 bytes) are free for its store -> on the host: nix-collect-garbage --delete-older-than 30d, or a larger disk',
      ],
    ],
    [
      'with next to no room',
      { freeBytes: 1_000_000 },
      [expect.stringMatching(/^bad: only 977 KiB \(1000000 bytes\)/)],
    ],
    [
      'whose Nix is too old',
      { nixVersion: '2.3.16' },
      ['bad: Nix 2.3.16 is too old -> give it Nix 2.4 or newer'],
    ],
    [
      'without Nix',
      { nixVersion: '' },
      ['bad: it has no nix-store on its system path -> add Nix to its configuration'],
    ],
    [
      'whose lock somebody holds',
      { locked: true },
      [expect.stringMatching(/^note: a lock is held: .* -> wait for its end/)],
    ],
    [
      'with failed units, one of many things',
      {
        health: 'Degraded',
        failedUnits: ['nginx.service', 'cron.service'],
        rebootNeeded: ['kernel', 'systemd'],
      },
      [
        'bad: failed units: nginx.service, cron.service -> on the host: systemctl status nginx.service',
        'note: it needs a reboot: kernel and systemd -> reboot it, or let its reboot policy do so',
      ],
    ],
    [
      'whose checks fail by now',
      { health: 'Degraded', failedChecks: ['port 80: connect ECONNREFUSED'] },
      ['bad: failed checks: port 80: connect ECONNREFUSED -> mend what the checks look at, or revert'],
    ],
    [
      'that somebody holds',
      { health: 'Held', verdict: 'held', hold: { scope: 'web1', by: 'ada', reason: 'firmware', since: now } },
      ['note: held by ada just now, until released: firmware -> varve release web1'],
    ],
    [
      'whose group somebody holds for a time, and that is out of reach',
      {
        health: 'Unreachable',
        verdict: 'unreachable',
        hold: { scope: 'shop', by: 'ada', reason: 'sale', since: now - 7_200_000, until: now + 10_800_000 },
      },
      [
        'bad: unreachable (reached just now) -> is root@web1.example:22 up?',
        'note: shop held by ada 2 h ago, ends in 3 h: sale -> varve release shop',
      ],
    ],
    [
      'whose windows are overridden',
      { override: { scope: 'fleet', by: 'bob', reason: 'CVE', since: now, until: now + 3_600_000 } },
      ['note: windows and freezes of fleet overridden by bob just now, ends in 1 h: CVE'],
    ],
    [
      'that was rolled back with its wave',
      {
        pin: {
          cause: 'wave',
          toplevel: '/nix/store/x',
          observation: 4,
          by: 'varve',
          reason: 'wave canary failed',
          since: now - 7_200_000,
        },
      },
      [
        'note: rolled back to generation 4 with its wave 2 h ago, until a commit or a retry: wave canary failed',
      ],
    ],
    [
      'that did not answer',
      { probeAskedAt: now - 60_000, lastContactAt: now - 60_000 },
      [
        'bad: no probe of it has come back (reached 1 min ago) -> does a worker run, and what does its log say?',
      ],
    ],
    [
      'that the repository names no more is not asked',
      { verdict: 'orphaned', probeAskedAt: undefined },
      ['note: the repository names it no more: it is not asked, and keeps what it runs'],
    ],
  ])('%s', (_what, change, expected) => {
    expect(judged(change)).toEqual(expected);
  });

  test('with an activation under way is not asked, and good', () => {
    const change = { verdict: 'wait', waitsFor: 'activation', locked: true, reason: 'activating' } as const;
    expect(judged({ ...change, probeAskedAt: 0 })).toEqual([expect.stringMatching(/^good: .* activating$/)]);
  });

  test('is judged by what is known where nobody could be asked', () => {
    expect(judged({ probeAskedAt: 0, lastContactAt: now - 60_000 }, { beAsked: false })).toEqual([
      expect.stringMatching(/^good: reached 1 min ago/),
    ]);
  });
});
