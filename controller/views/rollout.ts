import type { RolloutView, WaveView } from '../../shared/contracts/api-common.ts';
import { rolloutFor } from '../../shared/domain/memory.ts';
import type { Rolling } from '../reconcile/plan/standing.ts';
import type { WaveState } from '../reconcile/plan/waves.ts';
import type { ViewContext } from './context.ts';
import { gatesOf } from './gates.ts';

/** How far the newest release is, wave by wave, as the last plan says. */
export function rolloutOf(context: ViewContext): RolloutView | undefined {
  const { last, memory } = context;
  if (last?.rollout === undefined || last.desired.kind !== 'ready') return undefined;
  const { waves } = last.rollout;
  const { n } = last.desired.observation;
  const firstFailed = waves.find(({ state }) => state === 'failed');
  return {
    observation: n,
    since: rolloutFor(memory, n)?.beganAt,
    waves: waves.map((wave) => ({
      name: wave.wave.name,
      state: stateOf(context, wave, firstFailed),
      done: wave.hosts.filter(({ standing }) => standing.kind === 'done').length,
      total: wave.hosts.length,
      failed: wave.hosts.filter(({ standing }) => standing.kind === 'failed').length,
      until: wave.until,
      reason: wave.reason,
    })),
  };
}

/** Every host of the rollout, as the plan saw it. */
export function rollingHosts({ last }: ViewContext): readonly Rolling[] {
  return (last?.rollout?.waves ?? []).flatMap(({ hosts }) => hosts);
}

function stateOf(
  context: ViewContext,
  { state, wave }: WaveState,
  firstFailed: WaveState | undefined,
): WaveView['state'] {
  switch (state) {
    case 'closed':
      return 'waiting';
    case 'failed':
      // Those behind it were not tried: they wait for a commit, as it does.
      return wave.name === firstFailed?.wave.name ? 'failed' : 'waiting';
    case 'moving': {
      const gate = gatesOf(context).find(({ kind, name }) => kind === 'wave' && name === wave.name);
      return gate !== undefined && gate.waiting > 0 ? 'approval' : 'moving';
    }
    case 'soaking':
    case 'passed':
      return state;
  }
}
