import type { GateView } from '../../shared/contracts/api-common.ts';
import { hostsOf, type Desired } from '../../shared/domain/desired.ts';
import type { FactOf, Gate } from '../../shared/domain/facts.ts';
import type { HostSpec } from '../../shared/domain/fleet.ts';
import type { HostName } from '../../shared/domain/names.ts';
import { createApprovals } from '../reconcile/plan/gates.ts';
import { judgedObservation, type ViewContext } from './context.ts';
import { judgedFleet } from './names.ts';

/** The waves and groups that the newest release gets into by approval only. */
export function gatesOf(context: ViewContext): readonly GateView[] {
  const { last } = context;
  const fleet = judgedFleet(context);
  const observation = judgedObservation(context)?.n;
  if (fleet === undefined || last === undefined || observation === undefined) return [];
  const gates: readonly Gate[] = [
    ...fleet.rollout.waves
      .filter(({ approval }) => approval)
      .map(({ name }) => ({ kind: 'wave', name }) as const),
    ...fleet.groups.filter(({ approval }) => approval).map(({ name }) => ({ kind: 'group', name }) as const),
  ];
  if (gates.length === 0) return [];
  const hosts = hostsOf(last.desired);
  const approvalOf = approvalsFor(context, last.desired);
  const waiting = last.verdicts.flatMap(({ host, waitsFor }) => {
    const spec = waitsFor === 'approval' ? hosts.get(host) : undefined;
    return spec === undefined ? [] : [spec];
  });
  return gates.map((gate) => {
    const approval = approvalOf(gate);
    return {
      ...gate,
      observation,
      waiting: approval !== undefined ? 0 : waiting.filter((spec) => isBehind(spec, gate)).length,
      approved: approval && { by: approval.by, at: approval.at },
    };
  });
}

/** The gates that a host waits for. */
export function closedGates(context: ViewContext, host: HostName): readonly GateView[] {
  const spec = context.last === undefined ? undefined : hostsOf(context.last.desired).get(host);
  if (spec === undefined) return [];
  return gatesOf(context).filter((gate) => gate.approved === undefined && isBehind(spec, gate));
}

/** By whose word a gate is open, as the plan judges it. What is still evaluated is judged by its number alone. */
function approvalsFor(
  { memory }: ViewContext,
  desired: Desired,
): (gate: Gate) => FactOf<'approved'> | undefined {
  if (desired.kind !== 'ready') {
    const n = desired.kind === 'unknown' ? undefined : desired.observation.n;
    return (gate) => memory.approvals.find((each) => each.observation === n && isSame(each.gate, gate));
  }
  const approvals = createApprovals(memory, desired.observation, desired.release);
  const specs = [...hostsOf(desired).values()];
  return (gate) =>
    approvals(gate, () => specs.filter((spec) => isBehind(spec, gate)).map(({ name }) => name));
}

function isSame(a: Gate, b: Gate): boolean {
  return a.kind === b.kind && a.name === b.name;
}

function isBehind(spec: HostSpec, gate: Gate): boolean {
  return gate.kind === 'wave' ? spec.wave === gate.name : spec.groups.includes(gate.name);
}
