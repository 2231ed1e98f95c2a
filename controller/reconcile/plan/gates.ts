import type { HostSpec } from '../../../shared/domain/fleet.ts';
import type { Memory } from '../../../shared/domain/memory.ts';
import type { HostName, StorePath } from '../../../shared/domain/names.ts';
import type { Observation, Release } from '../../../shared/domain/observation.ts';
import { hostsIn, type Amount, type Group, type RolloutPolicy } from '../../../shared/domain/policy.ts';
import type { Gate } from '../../../shared/domain/facts.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import { isInFlight, isUnavailable, type Rolling } from './standing.ts';
import type { WaveState } from './waves.ts';

/** What keeps a delivered host from being activated now; `undefined`: nothing. */
export type Refusal = Pick<Verdict, 'kind' | 'reason' | 'waitsFor' | 'until' | 'code'>;

const waiting = { kind: 'wait', until: undefined, code: undefined } as const;

/** Nothing goes on by itself: the reason names what speaks against the release. */
export function halted(reason: string): Refusal {
  return {
    kind: 'stalled',
    waitsFor: 'commit or retry',
    until: undefined,
    code: 'ROLLOUT_HALTED',
    reason,
  };
}

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

/** Nothing begins there now; what is under way goes on. */
export function closedWindow(reason: string, until: number | undefined): Refusal {
  return { ...waiting, waitsFor: 'window', until, reason };
}

/** Whether a person has let the release in, where that is asked for. */
export function createApprovals(
  memory: Memory,
  observation: Observation,
  release: Release,
): (gate: Gate, members: () => readonly HostName[]) => Refusal | undefined {
  const known = new Map<string, boolean>();
  const approved = (gate: Gate, members: () => readonly HostName[]): boolean =>
    memory.approvals.some((fact) => {
      if (fact.gate.kind !== gate.kind || fact.gate.name !== gate.name) return false;
      if (fact.observation === observation.n) return true;
      // What was approved are systems: a commit that leaves them as they are needs no new word.
      const key = memory.keys.get(fact.observation);
      const seen = key === undefined ? undefined : memory.releases.get(key);
      return seen !== undefined && members().every((host) => sameSystem(seen, release, host));
    });
  return (gate, members) => {
    const name = `${gate.kind} ${gate.name}`;
    const is = known.get(name) ?? approved(gate, members);
    known.set(name, is);
    if (is) return undefined;
    return {
      ...waiting,
      waitsFor: 'approval',
      reason: `observation ${observation.n} is not approved for ${name}: \`varve approve ${gate.name}\``,
    };
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
  refusal(spec: HostSpec): Refusal | undefined;
  /** Of what brings no release: nobody has to be there before, but a host that Varve runs on goes alone. */
  aloneRefusal(host: Rolling): Refusal | undefined;
  /** Its activation is let through. */
  take(spec: HostSpec): void;
}

/** A host that Varve itself runs on goes last, and alone. */
export function createOrder(hosts: readonly Rolling[]): Order {
  let under = hosts.find(({ view }) => view.spec.runsVarve && isInFlight(view))?.view.host;
  const others = hosts.find(({ view, standing }) => !view.spec.runsVarve && standing.kind === 'moving');
  // Who is away in the middle of it must not keep the others from being brought back.
  const isThere = ({ view }: Rolling): boolean => view.contact?.kind !== 'unreachable';
  const begun = new Set(
    hosts.filter((host) => isInFlight(host.view) && isThere(host)).map(({ view }) => view.host),
  );
  const wait = (reason: string): Refusal => ({ ...waiting, waitsFor: 'dependency', reason });
  return {
    aloneRefusal({ view: { spec } }) {
      if (under !== undefined && under !== spec.name && begun.has(under)) {
        return wait(`Varve itself runs on ${under}, which is being activated alone`);
      }
      const other = [...begun].find((name) => name !== spec.name);
      if (!spec.runsVarve || other === undefined) return undefined;
      return wait(`Varve itself runs on it, so it goes alone: ${other} is being activated`);
    },
    refusal(spec) {
      if (under !== undefined && under !== spec.name) {
        return wait(`Varve itself runs on ${under}, which is being activated alone`);
      }
      if (!spec.runsVarve || others === undefined) return undefined;
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
    refusalApart: (host) => order.aloneRefusal(host) ?? budgets.refusal(host),
    refusalBack: (host) => order.aloneRefusal(host) ?? budgets.refusalBack(host),
    take(host) {
      budgets.take(host);
      order.take(host.view.spec);
    },
  };
}

/** Counts what is under way or not available, in the fleet, its waves and its groups, while hosts are let through. */
export interface Budgets {
  refusal(host: Rolling): Refusal | undefined;
  /** Of a host that goes back with its wave: what is away or stuck, perhaps by this very release, does not keep it there. */
  refusalBack(host: Rolling): Refusal | undefined;
  /** One more activation is let through. */
  take(host: Rolling): void;
}

interface Budget {
  readonly what: string;
  readonly most: number;
  readonly inFlight: Set<HostName>;
  /** Of those, who can be reached. */
  readonly there: Set<HostName>;
  readonly unavailable: ReadonlySet<HostName>;
  /** Some of those have only not been asked yet. */
  readonly unsure: boolean;
}

export function createBudgets(input: {
  readonly policy: RolloutPolicy;
  readonly groups: readonly Group[];
  readonly hosts: readonly Rolling[];
  readonly wasAbsent: (host: HostName) => boolean;
}): Budgets {
  const { policy, hosts } = input;
  const budgets = new Map<string, Budget>();
  const define = (
    key: string,
    what: string,
    amount: Amount | undefined,
    has: (host: Rolling) => boolean,
  ): void => {
    if (amount === undefined) return;
    const members = hosts.filter(has);
    const inFlight = members.filter(({ view }) => isInFlight(view));
    const unavailable = members.filter(
      (host) => !isInFlight(host.view) && isUnavailable(host, input.wasAbsent(host.view.host)),
    );
    const counted = members.filter(
      ({ view }) => view.contact?.kind !== 'unreachable' || !input.wasAbsent(view.host),
    );
    budgets.set(key, {
      what,
      most: hostsIn(amount, counted.length),
      inFlight: new Set(inFlight.map(({ view }) => view.host)),
      there: new Set(
        inFlight.filter(({ view }) => view.contact?.kind !== 'unreachable').map(({ view }) => view.host),
      ),
      unavailable: new Set(unavailable.map(({ view }) => view.host)),
      unsure: unavailable.some(({ view }) => view.contact === undefined),
    });
  };
  define('fleet', 'the fleet', policy.maxUnavailable, () => true);
  for (const { name, maxUnavailable } of policy.waves) {
    define(`wave ${name}`, `wave ${name}`, maxUnavailable, ({ view }) => view.spec.wave === name);
  }
  for (const { name, maxUnavailable } of input.groups) {
    define(`group ${name}`, `group ${name}`, maxUnavailable, ({ view }) => view.spec.groups.includes(name));
  }
  const budgetsOf = ({ view: { spec } }: Rolling): readonly Budget[] =>
    budgets.size === 0
      ? []
      : ['fleet', `wave ${spec.wave}`, ...spec.groups.map((group) => `group ${group}`)].flatMap(
          (key) => budgets.get(key) ?? [],
        );
  return {
    refusal: (host) => firstOf(budgetsOf(host).map((budget) => over(budget, host.view.host))),
    refusalBack: (host) => firstOf(budgetsOf(host).map(overBack)),
    take(host) {
      for (const { inFlight, there } of budgetsOf(host)) {
        inFlight.add(host.view.host);
        there.add(host.view.host);
      }
    },
  };
}

function over({ what, most, inFlight, unavailable, unsure }: Budget, host: HostName): Refusal | undefined {
  const away = unavailable.size - (unavailable.has(host) ? 1 : 0);
  if (inFlight.size + away + 1 <= most) return undefined;
  const limit = `at most ${most} of ${what} may be unavailable at once`;
  if (inFlight.size > 0 || unsure) {
    return {
      ...waiting,
      waitsFor: 'budget',
      reason: `${limit}: now ${listed(inFlight, unavailable)}`,
    };
  }
  // Nothing is under way whose end could make room.
  return halted(`${limit}, and these are: ${listed(unavailable)}`);
}

function overBack({ what, most, there }: Budget): Refusal | undefined {
  if (there.size + 1 <= most) return undefined;
  const reason = `at most ${most} of ${what} may be unavailable at once: now ${listed(there)}`;
  return { ...waiting, waitsFor: 'budget', reason };
}

function firstOf(refusals: readonly (Refusal | undefined)[]): Refusal | undefined {
  return refusals.find((refusal) => refusal !== undefined);
}

const mostListed = 4;

/** Every host that has to wait is told of them: they are not gone through for each. */
function listed(...sets: readonly ReadonlySet<HostName>[]): string {
  const shown: HostName[] = [];
  let count = 0;
  for (const names of sets) {
    count += names.size;
    for (const name of names) {
      if (shown.length >= mostListed) break;
      shown.push(name);
    }
  }
  const text = shown.join(', ');
  return count > mostListed ? `${text} and ${count - mostListed} more` : text;
}
