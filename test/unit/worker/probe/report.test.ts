import { describe, expect, it } from 'vitest';

import { parseReport } from '../../../../worker/probe/report.ts';

const path = (name: string): string => `/nix/store/${'0'.repeat(32)}-${name}`;
const answer = {
  current: path('a'),
  booted: path('b'),
  profile: path('a'),
  profileGeneration: '7',
  bootDefault: '',
  bootId: 'boot',
  owner: '',
  epoch: '0',
  counter: '0',
  nixVersion: '2.8.0',
  nixos: true,
  freeBytes: 1_000,
  locked: false,
  rebootNeeded: ['kernel', 'systemd'],
  failedUnits: ['x.service'],
  restarting: [],
  newlyFailed: ['x.service'],
  rooted: [path('a'), '/tmp/x'],
  generations: [
    ['7', path('a')],
    ['6', '/tmp/x'],
  ],
  collectedAgo: '60',
  tidiedAgo: '',
  tidied: '',
  drift: null,
  records: [
    {
      data: [
        'deployment=d000001',
        `toplevel=${path('a')}`,
        `previous=${path('b')}`,
        'boot=boot',
        'epoch=1',
        'counter=2',
      ],
      journal: ['100 started', '200 end kind=succeeded'],
    },
  ],
};
const parse = (change: object = {}) => parseReport(JSON.stringify({ ...answer, ...change }));

describe('parseReport', () => {
  it('reads a report', () => {
    expect(parse()).toEqual({
      current: path('a'),
      booted: path('b'),
      profile: path('a'),
      profileGeneration: 7,
      bootDefault: undefined,
      bootId: 'boot',
      owner: undefined,
      highestToken: undefined,
      nixVersion: '2.8.0',
      freeBytes: 1_000,
      locked: false,
      rebootNeeded: ['kernel', 'systemd'],
      failedUnits: ['x.service'],
      restarting: [],
      newlyFailed: ['x.service'],
      rooted: [path('a')],
      generations: [{ number: 7, toplevel: path('a') }],
      collectedAgoMs: 60_000,
      tidied: undefined,
      drift: undefined,
      records: [
        {
          deployment: 'd000001',
          token: { epoch: 1, counter: 2 },
          toplevel: path('a'),
          previous: path('b'),
          bootId: 'boot',
          end: { kind: 'succeeded' },
        },
      ],
    });
  });

  it('reads how the host was tidied last', () => {
    expect(parse({ tidiedAgo: '5', tidied: '0' }).tidied).toEqual({
      agoMs: 5_000,
      failures: 0,
      failure: undefined,
    });
    expect(parse({ tidiedAgo: '5', tidied: '2 it did not come to its end' }).tidied).toEqual({
      agoMs: 5_000,
      failures: 2,
      failure: 'it did not come to its end',
    });
    expect(parse({ tidiedAgo: '5', tidied: 'x' }).tidied).toMatchObject({ failures: 0 });
  });

  it('has no end for a record that has none', () => {
    const [record] = answer.records;
    expect(parse({ records: [{ ...record, journal: ['100 started'] }] }).records[0]?.end).toBeUndefined();
  });

  it('leaves out a record that nobody can read', () => {
    expect(parse({ records: [{ data: ['deployment=../x'], journal: [] }] }).records).toEqual([]);
  });

  it('says so when the host is no NixOS', () => {
    expect(() => parse({ nixos: false, current: '' })).toThrow('does not run NixOS');
  });

  it.for(['', 'bash: no such file', '{}', '[1]'])('refuses %j', (text) => {
    expect(() => parseReport(text)).toThrow('cannot be read');
  });
});
