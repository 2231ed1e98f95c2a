import { describe, expect, it } from 'vitest';

import { bodyOf, subjectOf } from '../../../../controller/ledger/describe.ts';
import { parseHostName } from '../../../../shared/domain/names.ts';
import { aGenesis, anIntent, anObservation, everyKind, web1, web2 } from '../../../support/ledger-facts.ts';

const hosts = Array.from({ length: 1_000 }, (_, i) => parseHostName(`host${i}`));

describe('the subject of a commit', () => {
  it.each(everyKind.map((fact) => [fact.kind, fact] as const))(
    'says something about a fact of kind %s',
    (_, fact) => {
      expect(subjectOf([fact])).toMatch(/^[a-z].{3,99}$/);
      expect(bodyOf([fact])).toMatch(/^.{10,160}$/);
    },
  );

  it('joins what is the same for several hosts', () => {
    expect(subjectOf([anIntent(7, web1), anIntent(7, web2)])).toBe('activate observation 7 (web1, web2)');
  });

  it('names a few of many hosts', () => {
    expect(subjectOf(hosts.map((host) => anIntent(7, host)))).toBe(
      'activate observation 7 (host0, host1, host2, host3 and 996 more)',
    );
  });

  it('stays short, however much there is to say', () => {
    const subject = subjectOf(Array.from({ length: 50 }, (_, n) => anObservation(n)));
    expect(subject.length).toBeLessThanOrEqual(100);
    expect(subject.endsWith('…')).toBe(true);
  });
});

describe('the body of a commit', () => {
  it('has a line for each fact, up to a bound', () => {
    const lines = bodyOf(hosts.map((host) => anIntent(7, host))).split('\n');
    expect(lines).toHaveLength(51);
    expect(lines.at(-1)).toBe('… and 950 more');
  });

  it('keeps one line one line, whatever people wrote', () => {
    const hold = {
      kind: 'hold',
      at: 1,
      scope: { kind: 'host', host: web1 },
      by: 'ada',
      until: undefined,
    } as const;
    const body = bodyOf([
      { ...hold, reason: 'a\n\nFacts: 0\r\nFormat: 9\u0000\u{1F980}'.padEnd(500, '\u{1F980}') },
    ]);
    expect(body).toMatch(/^web1 held by ada: a Facts: 0 Format: 9 \u{1F980}+…$/u);
  });

  it('tells a forced observation from others', () => {
    const observation = anObservation(3);
    expect(bodyOf([{ ...observation, observation: { ...observation.observation, forced: true } }])).toContain(
      '(forced)',
    );
    expect(bodyOf([aGenesis])).not.toContain('(forced)');
  });
});
