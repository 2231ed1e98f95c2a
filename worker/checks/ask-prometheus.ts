import { z } from 'zod';

import type { Bounds } from '../../shared/domain/check.ts';
import { get } from './ask-network.ts';

/** The result of a query of a whole fleet is some kilobytes. */
const mostBytes = 1024 * 1024;
/** How many metrics a message names. */
const namedMetrics = 3;

const sample = z.tuple([z.number(), z.string()]);
const success = z.object({
  status: z.literal('success'),
  data: z.discriminatedUnion('resultType', [
    z.object({
      resultType: z.literal('vector'),
      result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: sample })),
    }),
    z.object({ resultType: z.literal('scalar'), result: sample }),
  ]),
});
const refusal = z.object({ status: z.literal('error'), errorType: z.string(), error: z.string() });

interface Sample {
  readonly metric: string;
  readonly value: number;
}

/** One instant query: why it does not say that all is well; `undefined`: it does. */
export async function askPrometheus(
  url: string,
  query: string,
  bounds: Bounds,
  signal: AbortSignal,
): Promise<string | undefined> {
  const endpoint = `${url.replace(/\/+$/, '')}/api/v1/query`;
  const answer = await get(`${endpoint}?query=${encodeURIComponent(query)}`, signal, mostBytes);
  if (typeof answer === 'string') return `${endpoint}${answer}`;
  const data = json(answer.body);
  const refused = refusal.safeParse(data);
  if (refused.success) return `the query ${query} was refused: ${refused.data.error.slice(0, 300)}`;
  if (answer.status !== 200) return `${endpoint} answered ${answer.status}`;
  const parsed = success.safeParse(data);
  if (!parsed.success) return `${endpoint} did not answer with a vector or a scalar`;
  return judge(query, samplesOf(parsed.data.data), bounds);
}

function samplesOf(data: z.infer<typeof success>['data']): readonly Sample[] {
  if (data.resultType === 'scalar') return [{ metric: 'the value', value: valueOf(data.result[1]) }];
  return data.result.map(({ metric, value }) => ({ metric: metricName(metric), value: valueOf(value[1]) }));
}

function judge(query: string, samples: readonly Sample[], bounds: Bounds): string | undefined {
  if (samples.length === 0) return `the query ${query} has no value`;
  const wrong = samples.filter(({ value }) => !within(value, bounds));
  if (wrong.length === 0) return undefined;
  const shown = wrong.slice(0, namedMetrics).map(({ metric, value }) => `${metric} is ${value}`);
  const more = wrong.length > shown.length ? ` and ${wrong.length - shown.length} more` : '';
  return `the query ${query}: ${shown.join(', ')}${more}, not ${boundsText(bounds)}`;
}

/** What is not a number is within nothing. */
function within(value: number, { above, below, equals }: Bounds): boolean {
  return (
    !Number.isNaN(value) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below) &&
    (equals === undefined || value === equals)
  );
}

function boundsText({ above, below, equals }: Bounds): string {
  return [
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(below === undefined ? [] : [`below ${below}`]),
    ...(equals === undefined ? [] : [`${equals}`]),
  ].join(' and ');
}

/** Prometheus writes infinities as `+Inf` and `-Inf`. */
function valueOf(text: string): number {
  if (/^[+-]?Inf$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return text.trim() === '' ? Number.NaN : Number(text);
}

function metricName({ __name__: name = '', ...labels }: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(', ')}}` : ''}` || 'the value';
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
