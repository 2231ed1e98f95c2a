import type { Check } from '../../shared/domain/check.ts';
import type { HostSpec } from '../../shared/domain/fleet.ts';
import type { HostName } from '../../shared/domain/names.ts';
import {
  plainRollout,
  type Freeze,
  type Group,
  type RebootPolicy,
  type RolloutPolicy,
} from '../../shared/domain/policy.ts';
import type { Features } from './features.ts';
import { withBudgets } from './policy-budgets.ts';
import { drawFreezes, drawWindows } from './policy-times.ts';
import type { Random } from './random.ts';

/** What the policy says of one host. */
export interface HostRules extends Pick<
  HostSpec,
  'wave' | 'groups' | 'after' | 'windows' | 'checks' | 'runsVarve' | 'mode'
> {
  readonly rebootWhen: RebootPolicy['when'];
}

/** How a release moves in a world: the policy of its fleet, the same all along. */
export interface WorldPolicy {
  readonly rollout: RolloutPolicy;
  readonly groups: readonly Group[];
  readonly freezes: readonly Freeze[];
  of(host: HostName): HostRules;
}

function numberOf(host: HostName): number {
  return Number(host.replace(/\D/g, ''));
}

function plainRules(host: HostName): HostRules {
  return {
    wave: 'all',
    groups: [],
    after: [],
    windows: [],
    checks: [],
    runsVarve: false,
    mode: 'switch',
    // Every other host is rebooted when that is due.
    rebootWhen: numberOf(host) % 2 === 0 ? 'after-deploy' : 'never',
  };
}

/** Every host at once. */
export const plainPolicy: WorldPolicy = { rollout: plainRollout, groups: [], freezes: [], of: plainRules };

const isReady: Check = {
  kind: 'unit',
  name: 'ready.service',
  intervalMs: 1_000,
  timeoutMs: 10_000,
  successes: 1,
  before: true,
};

/** @param from when the story begins */
export function drawPolicy(
  random: Random,
  input: { readonly names: readonly HostName[]; readonly features: Features; readonly from: number },
): WorldPolicy {
  const { features, names } = input;
  const rollout = withApprovals(drawRollout(random), features, random.fork('approvals'));
  if (features.size === 0 && rollout === plainRollout) return plainPolicy;
  const groups = features.has('groups') ? drawGroups(features, random.fork('groups')) : [];
  const windows = features.has('windows') ? drawWindows(random.fork('windows')) : [];
  const own = random.fork('hosts');
  const waves = rollout.waves.map(({ name }) => name);
  const rules = new Map<HostName, HostRules>();
  for (const name of names) {
    const plain = plainRules(name);
    // host1 is the canary; the others follow in turn.
    const at = (numberOf(name) - 1) % waves.length;
    const wave = waves[at] ?? plain.wave;
    const before = [...rules].filter(([, other]) => waves.indexOf(other.wave) <= at && !other.runsVarve);
    const isLast = at === waves.length - 1 && name === names.at(-1);
    rules.set(name, {
      ...plain,
      wave,
      groups: groups.map((group) => group.name).filter((group) => isInGroup(group, name)),
      after: features.has('dependencies') ? before.map(([other]) => other).filter(() => own.chance(0.5)) : [],
      windows: own.chance(0.8) ? windows : [],
      checks: features.has('checks') && own.chance(0.7) ? [isReady] : [],
      runsVarve: features.has('dependencies') && isLast && own.chance(0.3),
      mode: features.has('modes') ? own.pick(['switch', 'boot', 'boot', 'dry-activate']) : 'switch',
      rebootWhen:
        features.has('windows') && plain.rebootWhen !== 'never' && own.chance(0.5)
          ? 'window'
          : plain.rebootWhen,
    });
  }
  const freezes = features.has('freezes')
    ? drawFreezes(random.fork('freezes'), { ...input, groups: groups.map(({ name }) => name) })
    : [];
  const drawn = { rollout, groups, freezes, of: (host: HostName) => rules.get(host) ?? plainRules(host) };
  return withBudgets(drawn, random.fork('more-budgets'));
}

function drawRollout(random: Random): RolloutPolicy {
  if (random.chance(0.4)) return plainRollout;
  const most = random.int(3);
  const names = ['canary', 'early', 'rest'].slice(0, 2 + random.int(2));
  const waves = names.map((name) => ({
    name,
    maxUnavailable: undefined,
    soakMs: random.pick([0, 0, 30_000]),
    approval: false,
  }));
  return {
    ...plainRollout,
    waves,
    maxUnavailable: most === 0 ? undefined : { unit: 'hosts', value: most },
    onFailure: random.pick(['halt', 'halt', 'rollback-wave', 'rollback-all', 'continue']),
  };
}

function withApprovals(rollout: RolloutPolicy, features: Features, random: Random): RolloutPolicy {
  if (!features.has('approvals')) return rollout;
  const waves = rollout.waves.map((wave) => ({ ...wave, approval: random.chance(0.6) }));
  return { ...rollout, waves };
}

function isInGroup(group: string, host: HostName): boolean {
  return group === 'left' ? numberOf(host) <= 2 : numberOf(host) % 2 === 0;
}

/** Some hosts are in both, some in none. */
function drawGroups(features: Features, random: Random): readonly Group[] {
  return ['left', 'even'].map((name) => ({
    name,
    maxUnavailable: random.chance(0.5) ? { unit: 'hosts', value: 1 } : undefined,
    approval: features.has('approvals') && random.chance(0.5),
  }));
}
