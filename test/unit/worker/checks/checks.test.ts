import { describe, expect, it } from 'vitest';

import type { Bounds, CheckPace } from '../../../../shared/domain/check.ts';
import { FleetError } from '../../../../shared/domain/errors.ts';
import { createRun, type Run } from '../../../../shared/platform/exec.ts';
import { createSystemClock } from '../../../../shared/platform/system-clock.ts';
import { createChecks, firstProblem } from '../../../../worker/checks/checks.ts';
import type { Session } from '../../../../worker/ssh/session.ts';
import { aCheck, connection, host, toplevel } from '../../../support/builders.ts';
import { eventually } from '../../../support/eventually.ts';
import { aPage } from './servers.ts';

const checks = createChecks({ clock: createSystemClock(), run: createRun(), commands: new Map() });
const { signal } = new AbortController();

/** A host on which every program ends with this status. */
function subject(code = 0) {
  const session: Session = {
    connection,
    isOpen: () => true,
    async exec(_command, { onLine }) {
      onLine?.('said');
      return { code, signal: undefined, stdout: '', stderr: '' };
    },
    start: () => Promise.reject(new Error('nothing here is talked to')),
    roundTripMs: () => Infinity,
    close() {},
  };
  return { host: host('web1'), session, toplevel: toplevel('A'), deployment: undefined };
}

/** A page that answers with these, one after the other, and then with the last. */
async function answering(...statuses: readonly number[]) {
  let asked = 0;
  const url = await aPage((_, response) => {
    response.writeHead(statuses[asked] ?? statuses.at(-1) ?? 200).end();
    asked += 1;
  });
  return {
    asked: () => asked,
    check: (pace: Partial<CheckPace>) =>
      aCheck({ kind: 'http', url, status: 200 }, { intervalMs: 5, ...pace }),
  };
}

const within = (ms: number, patient = true) => ({ patient, until: performance.now() + ms, signal });

describe('a check after a switch', () => {
  it('is asked until it passes', async () => {
    const { check, asked } = await answering(503, 503, 200);
    expect(await checks.passes(check({}), subject(), within(5_000))).toBeUndefined();
    expect(asked()).toBe(3);
  });

  it('must pass so often in a row: a failure in between begins anew', async () => {
    const { check, asked } = await answering(200, 200, 503, 200);
    expect(await checks.passes(check({ successes: 3 }), subject(), within(5_000))).toBeUndefined();
    expect(asked()).toBe(6);
  });

  it('fails with what it said last when the window is over', async () => {
    const { check, asked } = await answering(200, 503);
    expect(await checks.passes(check({ successes: 2 }), subject(), within(100))).toContain('answered 503');
    expect(asked()).toBeGreaterThan(2);
  });

  it('that passes, but not often enough in time, says so', async () => {
    const { check } = await answering(200);
    expect(await checks.passes(check({ successes: 3, intervalMs: 60_000 }), subject(), within(200))).toMatch(
      /^in the time there was, http.* passed 1 of 3 times in a row$/,
    );
  });

  it('gives no try longer than its time-out', async () => {
    const url = await aPage(() => {});
    const check = aCheck({ kind: 'http', url, status: 200 }, { timeoutMs: 30, intervalMs: 1 });
    let tries = 0;
    const counted = {
      ...check,
      get timeoutMs() {
        tries += 1;
        return 30;
      },
    };
    expect(await checks.passes(counted, subject(), within(300))).toContain('did not answer in time');
    expect(tries).toBeGreaterThan(2);
  });

  it('on the host says what the host said', async () => {
    const unit = aCheck({ kind: 'unit', name: 'web.service' });
    const command = aCheck({ kind: 'command', command: ['is-well', '--now'] });
    expect(await checks.passes(unit, subject(), within(50))).toBeUndefined();
    expect(await checks.passes(unit, subject(3), within(50))).toBe('web.service is said');
    expect(await checks.passes(command, subject(7), within(50))).toBe(
      'the command is-well ended with status 7: said',
    );
    expect(await checks.passes(command, subject(124), within(50))).toMatch(
      /^the command is-well did not end within /,
    );
  });
});

describe('a check of a metric', () => {
  it('asks Prometheus for the query, and says which value is out of its bounds', async () => {
    const queries: (string | null)[] = [];
    const url = await aPage((request, response) => {
      queries.push(new URL(request.url ?? '', 'http://localhost').searchParams.get('query'));
      const data = { resultType: 'scalar', result: [0, '2'] };
      response.end(JSON.stringify({ status: 'success', data }));
    });
    const asking = (bounds: Bounds) =>
      checks.passes(
        aCheck({ kind: 'prometheus', url, query: 'errors', bounds }, { intervalMs: 5 }),
        subject(),
        within(5_000, false),
      );
    expect(await asking({ below: 3 })).toBeUndefined();
    expect(await asking({ below: 2 })).toBe('the query errors: the value is 2, not below 2');
    expect(queries).toEqual(['errors', 'errors']);
  });
});

describe('a check before an activation', () => {
  it('is not asked again after a failure', async () => {
    const { check, asked } = await answering(200, 503, 200);
    expect(await checks.passes(check({ successes: 3 }), subject(), within(5_000, false))).toContain('503');
    expect(asked()).toBe(2);
  });
});

describe('checks of a host at rest', () => {
  it('forgive one failure, and not two', async () => {
    const once = await answering(503, 200);
    const twice = await answering(503, 503, 200);
    const [first, second] = await checks.results([once.check({}), twice.check({})], subject(), signal);
    expect(first).toMatchObject({ healthy: true, intervalMs: 5 });
    expect(second).toMatchObject({ healthy: false, message: expect.stringContaining('answered 503') });
    expect([once.asked(), twice.asked()]).toEqual([2, 2]);
  });
});

describe('who asks and cannot know', () => {
  const lost = new FleetError({ code: 'HOST_UNREACHABLE', disposition: 'transient', message: 'it was cut' });
  const unreachable = () => {
    const { session, ...rest } = subject();
    return { ...rest, session: { ...session, isOpen: () => false, exec: () => Promise.reject(lost) } };
  };
  const unit = aCheck({ kind: 'unit', name: 'web.service' });

  it('is told of a host that is there and lets nobody ask', async () => {
    const { session, ...rest } = unreachable();
    const there = { ...rest, session: { ...session, isOpen: () => true } };
    expect(await checks.results([{ ...unit, intervalMs: 1 }], there, signal)).toMatchObject([
      { healthy: false, message: expect.stringContaining('it was cut') as string },
    ]);
  });

  it('ends what else it asks once the connection is lost', async () => {
    const commands = new Map([['sleeps', { argv: ['sleep', '60'] as const, timeoutMs: 60_000 }]]);
    let running = 0;
    const run: Run = async (argv, options) => {
      running += 1;
      return createRun({ graceMs: 10 })(argv, options).finally(() => (running -= 1));
    };
    const others = createChecks({ clock: createSystemClock(), run, commands });
    const sleeps = aCheck({ kind: 'worker', name: 'sleeps' }, { timeoutMs: 60_000 });
    await expect(others.results([sleeps, unit], unreachable(), signal)).rejects.toBe(lost);
    await eventually(() => running === 0, { what: 'the end of the other', deadlineMs: 5_000 });
  });

  it('says nothing of the health of a host that the connection to was lost', async () => {
    await expect(checks.results([unit], unreachable(), signal)).rejects.toBe(lost);
    await expect(checks.passes(unit, unreachable(), within(50))).rejects.toBe(lost);
  });

  it.for([
    ['a page', aCheck({ kind: 'http', url: 'http://127.0.0.1:9/', status: 200 })],
    ['a metric', aCheck({ kind: 'prometheus', url: 'http://127.0.0.1:9/', query: 'x', bounds: {} })],
    ['a port', aCheck({ kind: 'tcp', port: 9 })],
    ['a command of the worker', aCheck({ kind: 'worker', name: 'sleeps' })],
  ] as const)('says nothing of %s once nobody wants to know any more', async ([, check]) => {
    const commands = new Map([['sleeps', { argv: ['sleep', '60'] as const, timeoutMs: 60_000 }]]);
    const others = createChecks({ clock: createSystemClock(), run: createRun({ graceMs: 10 }), commands });
    const given = { code: 'CANCELLED' };
    const over = AbortSignal.abort();
    await expect(others.results([check], subject(), over)).rejects.toMatchObject(given);
    const asked = others.passes(check, subject(), { ...within(5_000), signal: over });
    await expect(asked).rejects.toMatchObject(given);
  });
});

describe('the first problem', () => {
  it('ends the rest', async () => {
    const ended: string[] = [];
    const problem = await firstProblem(signal, [
      async () => undefined,
      async () => 'it is broken',
      (stop) =>
        new Promise((resolve) =>
          stop.addEventListener('abort', () => {
            ended.push('the other');
            resolve('it was stopped');
          }),
        ),
    ]);
    expect(problem).toBe('it is broken');
    expect(ended).toEqual(['the other']);
  });

  it('is none when all is well, or there is nothing to ask', async () => {
    expect(await firstProblem(signal, [])).toBeUndefined();
    expect(await firstProblem(signal, [async () => undefined, async () => undefined])).toBeUndefined();
  });
});
