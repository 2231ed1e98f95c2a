import { describe, expect, it } from 'vitest';

import type { Bounds } from '../../../../shared/domain/check.ts';
import { askPrometheus } from '../../../../worker/checks/ask-prometheus.ts';
import { aPage } from './servers.ts';

/** What a server that answers every query with this says of `up`. */
async function asked(answer: unknown, bounds: Bounds, status = 200): Promise<string | undefined> {
  const url = await aPage((_, response) =>
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(typeof answer === 'string' ? answer : JSON.stringify(answer)),
  );
  const problem = await askPrometheus(url, 'up', bounds, AbortSignal.timeout(5_000));
  return problem?.replace(url, 'URL');
}

const vector = (...values: readonly string[]) => ({
  status: 'success',
  data: {
    resultType: 'vector',
    result: values.map((value, i) => ({
      metric: { __name__: 'up', instance: `web${i + 1}:9100`, job: 'node' },
      value: [1_435_781_451.781, value],
    })),
  },
});

describe('a Prometheus query', () => {
  it('is sent to the instant query of the server, character by character', async () => {
    let sent: string | undefined;
    const url = await aPage((request, response) => {
      sent = request.url;
      response.end(JSON.stringify(vector('1')));
    });
    const query = 'sum(rate(errors{code=~"5..", path!="/a&b"}[5m])) + 1';
    expect(
      await askPrometheus(`${url}/prefix/`, query, { above: 0 }, AbortSignal.timeout(5_000)),
    ).toBeUndefined();
    const got = new URL(sent ?? '', url);
    expect(got.pathname).toBe('/prefix/api/v1/query');
    expect(got.searchParams.get('query')).toBe(query);
  });

  it.for([
    [['1', '1'], { equals: 1 }],
    [['0.5'], { above: 0, below: 1 }],
    [['+Inf'], { above: 1e9 }],
    [['-Inf'], { below: 0 }],
    [['1e-3'], { below: 0.01 }],
  ] as const)('passes with %j for %j', async ([values, bounds]) => {
    expect(await asked(vector(...values), bounds)).toBeUndefined();
  });

  it('passes with a scalar within the bounds', async () => {
    const scalar = { status: 'success', data: { resultType: 'scalar', result: [1, '2'] } };
    expect(await asked(scalar, { above: 1 })).toBeUndefined();
    expect(await asked(scalar, { above: 2 })).toBe('the query up: the value is 2, not above 2');
  });

  it('fails when one value is out of bounds, and says which', async () => {
    expect(await asked(vector('1', '0'), { above: 0 })).toBe(
      'the query up: up{instance="web2:9100", job="node"} is 0, not above 0',
    );
    expect(await asked(vector('3', '4', '5', '6', '7'), { above: 1, below: 3 })).toContain(
      'and 2 more, not above 1 and below 3',
    );
  });

  it('fails when it has no value, or one that is no number', async () => {
    expect(await asked(vector(), { above: 0 })).toBe('the query up has no value');
    expect(await asked(vector('NaN'), { below: 1 })).toContain('is NaN, not below 1');
  });

  it.for([
    [
      { status: 'error', errorType: 'bad_data', error: 'parse error' },
      400,
      'the query up was refused: parse error',
    ],
    ['upstream is away', 502, 'URL/api/v1/query answered 502'],
    ['<html>', 200, 'URL/api/v1/query did not answer with a vector or a scalar'],
    [
      { status: 'success', data: { resultType: 'matrix', result: [] } },
      200,
      'URL/api/v1/query did not answer with a vector or a scalar',
    ],
    [' '.repeat(2 * 1024 * 1024), 200, 'URL/api/v1/query answered with more than 1048576 bytes'],
  ] as const)('fails when the answer is none: %#', async ([answer, status, expected]) => {
    expect(await asked(answer, { above: 0 }, status)).toBe(expected);
  });
});
