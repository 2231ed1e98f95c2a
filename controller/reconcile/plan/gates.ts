import type { Fleet, HostSpec } from '../../../shared/domain/fleet.ts';
import type { Memory } from '../../../shared/domain/memory.ts';
import type { HostName, StorePath } from '../../../shared/domain/names.ts';
import type { Observation, Release } from '../../../shared/domain/observation.ts';
import type { RolloutPolicy } from '../../../shared/domain/policy.ts';
import type { FactOf, Gate } from '../../../shared/domain/facts.ts';
import type { Budgets } from './budgets.ts';
import { halted, waiting, type Refusal } from './refusal.ts';
import { isAway, isInFlight, type Rolling } from './standing.ts';
import type { WaveState } from './waves.ts';
import { mayStart } from './windows.ts';

/** Whether the wave lets its hosts through. */
export function waveRefusal(
  { wave, state, reason, until }: WaveState,
  isFirstFailed: boolean,
): Refusal | undefined {
  switch (state) {
    case 'failed':
      return halted(isFirstFailed ? `its wave ${wave.name} failed: ${reason}` : reason);
    case 'closed':
      return { ...waiting, waitsFor: until === undefined ? 'wave' : 'soak', until, reason };
    case 'moving':
    case 'soaking':
    case 'passed':
      return undefined;
  }
}

/** Whether windows and freezes let an activation begin there now; what is under way goes on. */
export function windowRefusalOf(
  { view, verdict }: Rolling,
  { freezes }: Fleet,
  { overrides }: Memory,
  now: number,
): Refusal | undefined {
  if (verdict.kind !== 'activate') return undefined;
  const may = mayStart({ windows: view.spec.windows, freezes, overrides, member: view.spec }, now);
  return may.open ? undefined : { ...waiting, waitsFor: 'window', until: may.until, reason: may.reason };
}

/** The approval by which a person has let the release in; `undefined`: nobody has. */
export function createApprovals(
  memory: Memory,
  observation: Observation,
  release: Release,
): (gate: Gate, members: () => readonly HostName[]) => FactOf<'approved'> | undefined {
  const known = new Map<string, FactOf<'approved'> | undefined>();
  const approved = (gate: Gate, members: () => readonly HostName[]): FactOf<'approved'> | undefined =>
    memory.approvals.find((fact) => {
      if (fact.gate.kind !== gate.kind || fact.gate.name !== gate.name) return false;
      if (fact.observation === observation.n) return true;
      // What was approved are systems: a commit that leaves them as they are needs no new word.
      const key = memory.keys.get(fact.observation);
      const seen = key === undefined ? undefined : memory.releases.get(key);
      return seen !== undefined && members().every((host) => sameSystem(seen, release, host));
    });
  return (gate, members) => {
    const name = `${gate.kind} ${gate.name}`;
    if (!known.has(name)) known.set(name, approved(gate, members));
    return known.get(name);
  };
}

/** What a host waits with whose gate nobody has opened. */
export function notApproved({ n }: Observation, { kind, name }: Gate): Refusal {
  return {
    ...waiting,
    waitsFor: 'approval',
    reason: `observation ${n} is not approved for ${kind} ${name}: \`varve approve ${name}\``,
  };
}

function sameSystem(a: Release, b: Release, host: HostName): boolean {
  const toplevel: StorePath | undefined = a.hosts.get(host)?.toplevel;
  return toplevel !== undefined && toplevel === b.hosts.get(host)?.toplevel;
}

/** Whether the hosts that come before one are done. */
export function dependencyRefusal(
  { after }: HostSpec,
  hosts: ReadonlyMap<HostName, Rolling>,
  policy: RolloutPolicy,
): Refusal | undefined {
  for (const name of after) {
    const before = hosts.get(name)?.standing;
    if (before === undefined || before.kind === 'done' || before.kind === 'out') continue;
    if (before.kind === 'moving') {
      return { ...waiting, waitsFor: 'dependency', reason: `${name} comes first, and is not there yet` };
    }
    if (policy.onFailure === 'continue') continue;
    return halted(`${name} comes first, and failed: ${before.why}`);
  }
  return undefined;
}

export interface Order {
  /** Of what brings the release: all others are there before a host that Varve runs on, which then goes alone. */
  refusal(spec: HostSpec): Refusal | undefined;
  /** Of what brings none: nobody has to be there before, but a host that Varve runs on goes alone. */
  aloneRefusal(spec: HostSpec): Refusal | undefined;
  /** Its activation is let through. */
  take(spec: HostSpec): void;
}

/** A host that Varve itself runs on goes last, and alone. */
export function createOrder(hosts: readonly Rolling[]): Order {
  let under = hosts.find(({ view }) => view.spec.runsVarve && isInFlight(view))?.view.host;
  const others = hosts.find(({ view, standing }) => !view.spec.runsVarve && standing.kind === 'moving');
  // Who is away in the middle of it must not keep the others from being brought back.
  const begun = new Set(
    hosts.filter(({ view }) => isInFlight(view) && !isAway(view)).map(({ view }) => view.host),
  );
  const wait = (reason: string): Refusal => ({ ...waiting, waitsFor: 'dependency', reason });
  const behind = (name: HostName): Refusal =>
    wait(`Varve itself runs on ${name}, which is being activated alone`);
  const aloneRefusal = (spec: HostSpec): Refusal | undefined => {
    if (under !== undefined && under !== spec.name && begun.has(under)) return behind(under);
    const other = [...begun].find((name) => name !== spec.name);
    if (!spec.runsVarve || other === undefined) return undefined;
    return wait(`Varve itself runs on it, so it goes alone: ${other} is being activated`);
  };
  return {
    aloneRefusal,
    refusal(spec) {
      if (under !== undefined && under !== spec.name) return behind(under);
      if (!spec.runsVarve || others === undefined) return aloneRefusal(spec);
      return wait(`Varve itself runs on it, so it goes last: ${others.view.host} is not there yet`);
    },
    take(spec) {
      begun.add(spec.name);
      if (spec.runsVarve) under ??= spec.name;
    },
  };
}

/** How many at once, and Varve's own hosts alone: that holds for everybody but whom a person sends back. */
export interface Turns extends Budgets {
  /** Of what brings no release, and counts in the budgets like all others. */
  refusalApart(host: Rolling): Refusal | undefined;
}

export function createTurns(order: Order, budgets: Budgets): Turns {
  return {
    refusal: (host) => order.refusal(host.view.spec) ?? budgets.refusal(host),
    refusalApart: (host) => order.aloneRefusal(host.view.spec) ?? budgets.refusal(host),
    refusalBack: (host) => order.aloneRefusal(host.view.spec) ?? budgets.refusalBack(host),
    take(host) {
      budgets.take(host);
      order.take(host.view.spec);
    },
  };
}
