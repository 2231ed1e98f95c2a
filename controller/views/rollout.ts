import type { RolloutView, WaveView } from '../../shared/contracts/api-common.ts';
import { hostsOf, type Desired } from '../../shared/domain/desired.ts';
import type { HostName } from '../../shared/domain/names.ts';
import type { Wave } from '../../shared/domain/policy.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';
import type { ViewContext } from './context.ts';
import { gatesOf } from './gates.ts';

/**
 * How far the newest release is, wave by wave, as the last plan and the ledger say. It decides nothing: which wave may
 * begin is the plan's affair.
 */
export function rolloutOf(context: ViewContext): RolloutView | undefined {
  const desired = context.last?.desired;
  if (desired?.kind !== 'ready') return undefined;
  const { rollout } = context.memory;
  const known = rollout?.observation === desired.observation.n ? rollout : undefined;
  const waves = byWave(context.last?.verdicts ?? [], desired);
  const states = desired.fleet.rollout.waves.map((wave): WaveView => {
    const verdicts = waves.get(wave.name) ?? [];
    return {
      name: wave.name,
      ...count(verdicts),
      ...(known?.failed.has(wave.name) === true
        ? { state: 'failed', reason: known.failed.get(wave.name) }
        : { state: known?.passed.has(wave.name) === true ? 'passed' : stateOf(context, wave, verdicts) }),
    };
  });
  return { observation: desired.observation.n, since: known?.beganAt, waves: soaking(states, context) };
}

/** The verdicts on the hosts of each wave. */
export function byWave(
  verdicts: readonly Verdict[],
  desired: Desired,
): ReadonlyMap<string, readonly Verdict[]> {
  const hosts = hostsOf(desired);
  const waves = new Map<string, Verdict[]>();
  for (const verdict of verdicts) {
    const wave = hosts.get(verdict.host)?.wave;
    if (wave === undefined) continue;
    const known = waves.get(wave);
    if (known === undefined) waves.set(wave, [verdict]);
    else known.push(verdict);
  }
  return waves;
}

function count(verdicts: readonly Verdict[]): Pick<WaveView, 'done' | 'total' | 'failed'> {
  return {
    done: verdicts.filter(({ kind }) => kind === 'in-sync').length,
    total: verdicts.length,
    failed: verdicts.filter(hasFailed).length,
  };
}

function hasFailed({ kind, code }: Verdict): boolean {
  return kind === 'stalled' && code !== undefined && !notTried.has(code);
}

/** Stalled for another reason than that the release was tried there. */
const notTried: ReadonlySet<string> = new Set(['OWNED_BY', 'UNMANAGED', 'DRIFTED', 'ROLLOUT_HALTED']);

function stateOf(context: ViewContext, { name }: Wave, verdicts: readonly Verdict[]): WaveView['state'] {
  const gate = gatesOf(context).find((each) => each.kind === 'wave' && each.name === name);
  if (gate !== undefined && gate.approved === undefined && gate.waiting > 0) return 'approval';
  if (verdicts.every(({ kind }) => kind === 'in-sync')) return 'passed';
  return verdicts.some(isMoving) ? 'moving' : 'waiting';
}

function isMoving({ kind, waitsFor, deployment }: Verdict): boolean {
  return (
    deployment !== undefined ||
    kind === 'deliver' ||
    kind === 'activate' ||
    kind === 'finalise' ||
    (kind === 'wait' && waitsFor === 'activation')
  );
}

/** A wave soaks while hosts of a later one wait for just that: it is the last one before them that is done. */
function soaking(waves: readonly WaveView[], { last, memory }: ViewContext): readonly WaveView[] {
  const waiting = last?.verdicts.find(({ waitsFor }) => waitsFor === 'soak');
  if (waiting === undefined || last === undefined) return waves;
  const wave = waveOf(last.desired, waiting.host);
  const before = waves.slice(
    0,
    Math.max(
      0,
      waves.findIndex(({ name }) => name === wave),
    ),
  );
  const soaks = before.findLast(({ name, state }) => state === 'passed' && !memory.rollout?.passed.has(name));
  return waves.map((each) =>
    each === soaks ? { ...each, state: 'soaking' as const, until: waiting.until } : each,
  );
}

function waveOf(desired: Desired, host: HostName): string | undefined {
  return hostsOf(desired).get(host)?.wave;
}
