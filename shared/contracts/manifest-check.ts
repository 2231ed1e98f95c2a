import type { Check, CheckSubject } from '../domain/check.ts';
import { unitWithType, type WrittenCheck } from './manifest-schema-check.ts';
import { durationMs } from './manifest-words.ts';

/** Of one try, where nothing is said. */
const usualTimeoutMs = 10_000;
const usualIntervalMs = 1_000;

/** One check of a host at an address; the schema has made sure that exactly one kind is given. */
export function resolveCheck(check: WrittenCheck, address: string): readonly Check[] {
  const subject = subjectOf(check, address);
  if (subject === undefined) return [];
  return [
    {
      ...subject,
      intervalMs: (check.interval === undefined ? undefined : durationMs(check.interval)) ?? usualIntervalMs,
      timeoutMs: (check.timeout === undefined ? undefined : durationMs(check.timeout)) ?? usualTimeoutMs,
      successes: check.successes ?? 1,
      before: check.before ?? false,
    },
  ];
}

function subjectOf(check: WrittenCheck, address: string): CheckSubject | undefined {
  if (check.unit !== undefined) return { kind: 'unit', name: unitWithType(check.unit) };
  if (check.tcp !== undefined) return { kind: 'tcp', port: check.tcp };
  if (check.command !== undefined) return { kind: 'command', command: check.command };
  if (check.worker !== undefined) return { kind: 'worker', name: check.worker };
  if (check.prometheus !== undefined) {
    const { url, query, above, below, equals } = check.prometheus;
    const bounds = {
      ...(above === undefined ? {} : { above }),
      ...(below === undefined ? {} : { below }),
      ...(equals === undefined ? {} : { equals }),
    };
    return { kind: 'prometheus', url, query, bounds };
  }
  if (check.http === undefined) return undefined;
  const { http } = check;
  const authority = address.includes(':') ? `[${address}]` : address;
  return {
    kind: 'http',
    url: http.url ?? `http://${authority}:${http.port ?? 80}${http.path ?? '/'}`,
    status: http.status ?? 200,
  };
}
