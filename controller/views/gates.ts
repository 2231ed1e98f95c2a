import type { GateView } from '../../shared/contracts/api-common.ts';
import { hostsOf } from '../../shared/domain/desired.ts';
import type { Gate } from '../../shared/domain/facts.ts';
import type { HostSpec } from '../../shared/domain/fleet.ts';
import type { HostName } from '../../shared/domain/names.ts';
import { judgedObservation, type ViewContext } from './context.ts';
import { judgedFleet } from './names.ts';

/** The waves and groups that the newest release gets into by approval only. */
export function gatesOf(context: ViewContext): readonly GateView[] {
  const fleet = judgedFleet(context);
  const observation = judgedObservation(context)?.n;
  if (fleet === undefined || context.last === undefined || observation === undefined) return [];
  const gates: readonly Gate[] = [
    ...fleet.rollout.waves.flatMap(({ name, approval }) =>
      approval ? [{ kind: 'wave', name } as const] : [],
    ),
    ...fleet.groups.flatMap(({ name, approval }) => (approval ? [{ kind: 'group', name } as const] : [])),
  ];
  if (gates.length === 0) return [];
  const hosts = hostsOf(context.last.desired);
  const waiting = context.last.verdicts.flatMap(({ host, waitsFor }) => {
    const spec = waitsFor === 'approval' ? hosts.get(host) : undefined;
    return spec === undefined ? [] : [spec];
  });
  return gates.map((gate) => {
    const approval = context.memory.approvals.findLast(
      (each) =>
        each.observation === observation && each.gate.kind === gate.kind && each.gate.name === gate.name,
    );
    const behind = approval === undefined ? waiting.filter((spec) => isBehind(spec, gate)) : [];
    return {
      ...gate,
      observation,
      waiting: behind.length,
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

function isBehind(spec: HostSpec, gate: Gate): boolean {
  return gate.kind === 'wave' ? spec.wave === gate.name : spec.groups.includes(gate.name);
}
