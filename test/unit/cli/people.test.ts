import { describe, expect, test } from 'vitest';
import { bannerLines } from '../../../cli/commands/banner.ts';
import { renderHostStatus } from '../../../cli/commands/status-host.ts';
import { renderStatus } from '../../../cli/commands/status.ts';
import { renderWhy } from '../../../cli/commands/why.ts';
import { endOf } from '../../../cli/end-time.ts';
import { createTerminal } from '../../../cli/terminal.ts';
import { clockTime } from '../../../cli/words.ts';
import { aHost, aStatus } from '../../support/fake-fleet.ts';

const nowhere = { write: () => true };
const terminal = createTerminal({ stdout: nowhere, stderr: nowhere, env: {} });
const now = Date.UTC(2026, 10, 27, 12);
const hour = 3_600_000;
const said = { by: 'ada', since: now - 2 * hour, until: now + 3 * hour };

describe('when something ends', () => {
  test.each([
    [{ for: '2h', until: undefined }, now + 2 * hour],
    [{ for: undefined, until: '2026-11-27T18:00Z' }, Date.UTC(2026, 10, 27, 18)],
    [{ for: undefined, until: '2026-11-27 18:00:30+01:00' }, Date.UTC(2026, 10, 27, 17, 0, 30)],
    [{ for: undefined, until: '2027-01-02T03:04' }, new Date(2027, 0, 2, 3, 4).getTime()],
    [{ for: undefined, until: undefined }, undefined],
  ])('%j', (options, at) => expect(endOf(options, now)).toBe(at));

  test.each([
    [{ for: '2h', until: '2026-11-27T18:00Z' }, /two ways/],
    [{ for: undefined, until: '2026-11-27' }, /not a time/],
    [{ for: undefined, until: '18:00' }, /not a time/],
    [{ for: undefined, until: '2026-13-27T18:00Z' }, /not a time/],
    [{ for: undefined, until: '2026-11-27T11:59Z' }, /is past/],
  ])('%j is refused', (options, message) => expect(() => endOf(options, now)).toThrow(message));
});

describe('what people said', () => {
  test('is in the line of the host: who, since when, until when, why', () => {
    const held = aHost('web1', {
      health: 'Held',
      verdict: 'held',
      reason: 'group shop is held by ada: the sale',
      waitsFor: 'person',
      hold: { ...said, scope: 'shop', reason: 'the sale' },
    });
    const lines = renderStatus(aStatus({ hosts: [held] }), { ...terminal, width: 200 }, { now, wide: false });
    expect(lines.join('\n')).toMatch(/web1 .* shop held by ada 2 h ago, ends in 3 h: the sale$/m);
  });

  test('is there beside a deployment, and says where a host was rolled back to', () => {
    const back = aHost('web1', {
      verdict: 'held',
      hold: { by: 'ada', since: said.since, scope: 'web1', reason: 'down' },
      pin: {
        ...said,
        cause: 'person',
        toplevel: '/nix/store/x',
        observation: 41,
        reason: 'down',
      },
    });
    const lines = renderHostStatus(back, {}, terminal, now);
    expect(lines).toContain('  people     rolled back to generation 41');
    expect(lines).toContain('  people     held by ada 2 h ago, until released: down');
  });

  test('about more than one host stands above the hosts', () => {
    const status = aStatus({
      suspended: { by: 'ada', since: said.since, reason: 'batteries' },
      holds: [{ ...said, scope: 'shop', reason: 'the sale' }],
      overrides: [{ ...said, scope: 'fleet', reason: 'CVE' }],
      gates: [{ kind: 'wave', name: 'rest', observation: 2, waiting: 2 }],
      rollout: {
        observation: 2,
        waves: [
          { name: 'canary', state: 'soaking', done: 1, total: 1, failed: 0, until: now + hour, reason: 'x' },
          { name: 'rest', state: 'failed', done: 3, total: 9, failed: 2, reason: 'x' },
        ],
      },
    });
    expect(bannerLines(status, terminal, now).map((line) => line.replace(/^\S+ /, ''))).toEqual([
      'suspended by ada 2 h ago, until `varve resume`: batteries',
      'shop held by ada 2 h ago, ends in 3 h: the sale',
      'windows and freezes of fleet overridden by ada 2 h ago, ends in 3 h: CVE',
      `of observation 2: canary soaking (1 of 1, in 1 h) ${terminal.signs.dot} rest failed (3 of 9, 2 failed)`,
      '2 hosts wait for an approval of wave rest: varve approve rest',
    ]);
  });

  test('a fleet without waves has no line about them, and none when all is there', () => {
    const wave = { name: 'all', done: 1, total: 3, failed: 0, reason: 'x' };
    const of = (...waves: NonNullable<Parameters<typeof bannerLines>[0]['rollout']>['waves'][number][]) =>
      bannerLines(aStatus({ rollout: { observation: 2, waves } }), terminal, now);
    expect(of({ ...wave, state: 'moving' })).toEqual([]);
    expect(of({ ...wave, state: 'passed' }, { ...wave, name: 'rest', state: 'passed' })).toEqual([]);
    expect(of({ ...wave, state: 'failed' })).toHaveLength(1);
  });
});

test('why answers in one line, and then with the chain, since when and until when', () => {
  const until = now + 2 * hour;
  const lines = renderWhy(
    {
      host: 'web3',
      sync: 'OutOfSync',
      health: 'Healthy',
      verdict: 'wait',
      reason: 'wave canary comes first',
      waitsFor: 'the soak time of wave canary',
      since: now - hour,
      until,
      chain: [
        { statement: 'wave canary comes first', at: now - hour, until },
        { statement: 'it is in wave rest', at: now - hour },
        { statement: 'wave canary comes before it', until },
      ],
      advice: '`varve approve canary`',
    },
    terminal,
    now,
  );
  expect(lines).toEqual([
    `web3 waits for the soak time of wave canary until ${clockTime(until)} (in 2 h): wave canary comes first (since ${clockTime(now - hour)})`,
    'wait: it is OutOfSync and Healthy',
    `  because it is in wave rest (since ${clockTime(now - hour)})`,
    `    because wave canary comes before it (until ${clockTime(until)}, in 2 h)`,
    `${terminal.signs.arrow} \`varve approve canary\``,
  ]);
});
