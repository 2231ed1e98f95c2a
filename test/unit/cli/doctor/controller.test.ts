import { describe, expect, test } from 'vitest';
import type { CommandContext } from '../../../../cli/context.ts';
import { controllerFindings } from '../../../../cli/doctor/controller.ts';
import { createTerminal } from '../../../../cli/terminal.ts';
import type { Status } from '../../../../shared/contracts/api.ts';
import { aHost, aStatus } from '../../../support/fake-fleet.ts';

const since = 1_000_000;
const patience = { allMs: 200, firstMs: 50, everyMs: 1 };

/** A controller whose status is the next one each time, and the last for ever. */
function asking(...states: readonly Status[]): {
  context: CommandContext;
  shown: () => string;
  asked: () => number;
} {
  const left = [...states];
  let shown = '';
  let asked = 0;
  const stdout = { write: (text: string) => (shown += text), isTTY: true, columns: 80, rows: 24 };
  const answer = (): Status => (left.length > 1 ? left.shift() : left[0]) ?? aStatus();
  return {
    shown: () => shown,
    asked: () => asked,
    context: {
      api: {
        url: 'http://127.0.0.1:7420',
        get: async (_path, schema) => schema.parse(answer()),
        post: async (_path, _body, schema) => {
          asked += 1;
          return schema.parse({ accepted: true, at: since });
        },
        stream: () => Promise.reject(new Error('not asked for')),
      },
      terminal: createTerminal({ stdout, stderr: stdout, env: { TERM: 'xterm', NO_COLOR: '1' } }),
      output: 'text',
      env: {},
      now: () => since,
      signal: new AbortController().signal,
    },
  };
}

const answered = { probeAskedAt: since, lastContactAt: since };
const silent = { probeAskedAt: since - 1, lastContactAt: since - 1 };

describe('the fleet of a controller', () => {
  test('is suspended by whom, since when, and why; and says where nobody was judged yet', async () => {
    const suspended = { by: 'ada', since: since - 60_000, reason: 'batteries' };
    const message = 'nothing is known of hosts yet: the first pass has not ended';
    const notJudged = { code: 'NOT_LEADER', disposition: 'transient', message } as const;
    const { context } = asking(aStatus({ hosts: [], suspended, notJudged }));
    const findings = await controllerFindings(context, patience);
    expect(findings.filter(({ what }) => what === 'fleet')).toEqual([
      { area: 'controller', what: 'fleet', grade: 'note', found: message },
      {
        area: 'controller',
        what: 'fleet',
        grade: 'note',
        found: 'suspended by ada 1 min ago, until `varve resume`: batteries',
        advice: 'varve resume',
      },
    ]);
  });
});

describe('the hosts of a controller', () => {
  test('are asked once and waited for, with progress for who looks', async () => {
    const { context, shown, asked } = asking(
      aStatus({ hosts: [aHost('web1', silent), aHost('web2', silent)] }),
      aStatus({ hosts: [aHost('web1', answered), aHost('web2', silent)] }),
      aStatus({ hosts: [aHost('web1', answered), aHost('web2', answered)] }),
    );
    const findings = await controllerFindings(context, patience);
    expect(findings.map(({ what, grade }) => `${what} ${grade}`).slice(2)).toEqual([
      'web1 good',
      'web2 good',
    ]);
    expect(asked()).toBe(1);
    expect(shown()).toMatch(/0 of 2 answered[\s\S]+1 of 2 answered[\s\S]+2 of 2 answered/);
    expect(shown().endsWith('\r\u001b[2K')).toBe(true);
  });

  test('are not waited for longer than is sensible: the one that hangs is named', async () => {
    const { context } = asking(aStatus({ hosts: [aHost('web1', answered), aHost('web2', silent)] }));
    const findings = await controllerFindings(context, patience);
    expect(findings.map(({ what, grade }) => `${what} ${grade}`).slice(2)).toEqual(['web1 good', 'web2 bad']);
  });

  test('that all stay silent mean that no worker works', async () => {
    const { context } = asking(aStatus({ hosts: [aHost('web1', silent), aHost('web2', silent)] }));
    expect(await controllerFindings(context, patience)).toContainEqual(
      expect.objectContaining({ what: 'probes', grade: 'bad', found: expect.stringMatching(/no worker/) }),
    );
  });

  test('that are orphaned or being activated are not waited for', async () => {
    const { context } = asking(
      aStatus({
        hosts: [
          aHost('old', { ...silent, verdict: 'orphaned' }),
          aHost('web1', { ...silent, verdict: 'wait', waitsFor: 'activation' }),
        ],
      }),
    );
    const findings = await controllerFindings(context, { ...patience, allMs: 60_000, firstMs: 60_000 });
    expect(findings.map(({ what, grade }) => `${what} ${grade}`).slice(2)).toEqual(['old note', 'web1 good']);
  });
});

test('a source that fails is bad, with its reason and what to do', async () => {
  const failure = {
    code: 'SOURCE_AUTH_FAILED',
    disposition: 'stalled',
    message: 'no',
    hint: 'renew it',
  } as const;
  const { context } = asking(
    aStatus({ hosts: [], source: { state: 'failing', repository: 'git@x:y', ref: 'main', failure } }),
  );
  expect(await controllerFindings(context, patience)).toContainEqual({
    area: 'source',
    what: 'git@x:y',
    grade: 'bad',
    found: 'SOURCE_AUTH_FAILED no (never seen)',
    advice: 'renew it',
  });
});
