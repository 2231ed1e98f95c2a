import { parseHostName } from '../domain/names.ts';
import { plainRollout } from '../domain/policy.ts';
import type {
  Amount,
  Freeze,
  Group,
  Hook,
  RebootPolicy,
  Retention,
  RolloutPolicy,
  Scope,
  Wave,
  Window,
} from '../domain/policy.ts';
import type { Members } from './manifest-members.ts';
import type { WrittenGroup } from './manifest-schema.ts';
import type {
  WrittenHook,
  WrittenReboot,
  WrittenRetention,
  WrittenRollout,
  WrittenWave,
} from './manifest-schema-policy.ts';
import type { WrittenFreeze, WrittenWindow } from './manifest-schema-time.ts';
import { msOf } from './manifest-words.ts';

const defaultHookTimeoutMs = 300_000;

/** A fleet whose file speaks of rollouts halts at a failed wave; one that does not is not divided at all. */
export function resolveRollout(written: WrittenRollout | undefined, { waves }: Members): RolloutPolicy {
  if (written === undefined) return plainRollout;
  return {
    waves: waves.length === 0 ? plainRollout.waves : waves.map(resolveWave),
    maxUnavailable: resolveAmount(written.maxUnavailable),
    onFailure: written.onFailure ?? 'halt',
    failureThreshold: resolveAmount(written.failureThreshold) ?? plainRollout.failureThreshold,
    rebootsAtOnce: written.rebootsAtOnce ?? plainRollout.rebootsAtOnce,
  };
}

function resolveWave({ name, maxUnavailable, soak, approval }: WrittenWave): Wave {
  return {
    name,
    maxUnavailable: resolveAmount(maxUnavailable),
    soakMs: msOf(soak, 0),
    approval: approval ?? false,
  };
}

export function resolveGroup([name, { maxUnavailable, approval }]: readonly [string, WrittenGroup]): Group {
  return { name, maxUnavailable: resolveAmount(maxUnavailable), approval: approval ?? false };
}

function resolveAmount(written: number | string | undefined): Amount | undefined {
  if (written === undefined) return undefined;
  return typeof written === 'number'
    ? { unit: 'hosts', value: written }
    : { unit: 'percent', value: Number(written.slice(0, -1)) };
}

export function resolveWindow({ allow, deny, for: duration, timeZone }: WrittenWindow): Window {
  return {
    kind: deny === undefined ? 'allow' : 'deny',
    schedule: allow ?? deny ?? '',
    durationMs: msOf(duration, 0),
    timeZone: timeZone ?? 'UTC',
  };
}

export function resolveFreeze({ from, until, reason, author, host, group }: WrittenFreeze): Freeze {
  const scope: Scope =
    host !== undefined
      ? { kind: 'host', host: parseHostName(host) }
      : group !== undefined
        ? { kind: 'group', group }
        : { kind: 'fleet' };
  return { from: Date.parse(from), until: Date.parse(until), reason, author, scope };
}

/** One part after the other: a host may change only the deadline. */
export function resolveReboot(base: RebootPolicy, written: WrittenReboot | undefined): RebootPolicy {
  if (written === undefined) return base;
  return {
    when: written.when ?? base.when,
    deadlineMs: msOf(written.deadline, base.deadlineMs),
    drain: resolveHook(written.drain) ?? base.drain,
    undrain: resolveHook(written.undrain) ?? base.undrain,
  };
}

function resolveHook(written: WrittenHook | undefined): Hook | undefined {
  if (written === undefined) return undefined;
  const timeoutMs = msOf(written.timeout, defaultHookTimeoutMs);
  return written.workerCommand === undefined
    ? { kind: 'command', command: written.command ?? [], timeoutMs }
    : { kind: 'worker-command', name: written.workerCommand, timeoutMs };
}

export function resolveRetention(base: Retention, written: WrittenRetention | undefined): Retention {
  if (written === undefined) return base;
  return {
    keep: written.keep ?? base.keep,
    collectGarbage: written.collectGarbage ?? base.collectGarbage,
  };
}
