import type { Fact, FactOf, Gate } from '../../shared/domain/facts.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import { isIn, type Window } from '../../shared/domain/policy.ts';
import type { WorldPolicy } from './policy.ts';
import type { Had } from './had.ts';
import type { Spoken } from './spoken.ts';
import type { Wanted } from './wanted.ts';

export interface GateChecks {
  /** A fact became durable. What people said and what is wanted has been learnt before. */
  appended(fact: Fact): void;
  /** Windows and freezes let something start on a host. */
  isOpen(host: HostName, at: number): boolean;
  /** Every approval that the host needs for the newest observation is there. */
  isApproved(host: HostName): boolean;
  /** A person sent the host back to it: nothing else has a say. */
  isSentBack(host: HostName, toplevel: StorePath, at: number): boolean;
  /** It goes back to it with its wave: what lets releases in has no say. */
  goesBackWithWave(host: HostName, toplevel: StorePath): boolean;
}

/** What opens every so many minutes needs no calendar. */
function isActive({ schedule, durationMs }: Window, at: number): boolean {
  const everyMs = Number(/^\*\/(\d+) /.exec(schedule)?.[1]) * 60_000;
  return at % everyMs < durationMs;
}

/**
 * Whether people and the clock let an activation start, judged when its intent becomes durable: holds, suspension,
 * windows, freezes, approvals. Who goes back is exempt from what the policy says, whom a person sends back from holds as
 * well.
 */
export function createGateChecks(deps: {
  readonly policy: WorldPolicy;
  readonly wanted: Wanted;
  readonly spoken: Spoken;
  readonly had: Had;
  readonly require: (holds: boolean, invariant: number, host: HostName, what: string) => void;
}): GateChecks {
  const { policy, wanted, spoken, require } = deps;
  const withWave = new Map<HostName, FactOf<'pin'>>();

  function isOpen(host: HostName, at: number): boolean {
    if (spoken.isOverridden(host, at)) return true;
    const { windows, groups } = policy.of(host);
    const frozen = policy.freezes.some(
      ({ from, until, scope }) => from <= at && at < until && isIn(scope, { name: host, groups }),
    );
    if (frozen || windows.some((one) => one.kind === 'deny' && isActive(one, at))) return false;
    const allows = windows.filter(({ kind }) => kind === 'allow');
    return allows.length === 0 || allows.some((one) => isActive(one, at));
  }

  /** An approval is of the systems that the hosts behind the gate were to get then. */
  function isLetThrough(gate: Gate, members: readonly HostName[]): boolean {
    const newest = wanted.newest()?.observation.n ?? 0;
    return spoken.approvals(gate).some((n) => {
      const seen = wanted.systemsOf(n);
      return n === newest || members.every((host) => seen.get(host) === wanted.on(host));
    });
  }

  function isApproved(host: HostName): boolean {
    const { wave, groups } = policy.of(host);
    const hosts = wanted.hosts();
    const gates: readonly (readonly [Gate, readonly HostName[]])[] = [
      ...policy.rollout.waves
        .filter(({ name, approval }) => approval && name === wave)
        .map(
          ({ name }) =>
            [{ kind: 'wave', name }, hosts.filter((one) => policy.of(one).wave === name)] as const,
        ),
      ...policy.groups
        .filter(({ name, approval }) => approval && groups.includes(name))
        .map(
          ({ name }) =>
            [{ kind: 'group', name }, hosts.filter((one) => policy.of(one).groups.includes(name))] as const,
        ),
    ];
    return gates.every(([gate, members]) => isLetThrough(gate, members));
  }

  function goesBackWithWave(host: HostName, toplevel: StorePath): boolean {
    const pin = withWave.get(host);
    // A host that the last release did not have, and that is named again, is as it was before that.
    const now = wanted.knownOn(host) ?? pin?.from;
    return pin?.to.toplevel === toplevel && pin.from === now;
  }

  function checkIntent({ at, aim }: FactOf<'intent'>): void {
    const { deployment: id, host, toplevel, action, mode } = aim;
    const back = spoken.sentBack(host, at);
    if (back !== undefined) {
      require(toplevel ===
        back, 0, host, `${id} is to be activated, and a person sent the host back to something else`);
      return;
    }
    require(!spoken.isHeld(host, at), 0, host, `${id} is to be activated although the host is held`);
    require(!spoken.isSuspended(), 0, host, `${id} is to be activated although everything is suspended`);
    if (goesBackWithWave(host, toplevel)) return;
    require(isOpen(host, at), 0, host, `${id} is to be activated, and windows and freezes say no`);
    if (wanted.testedOn(host) === toplevel) return;
    require(deps.had.has(host, toplevel) ||
      isApproved(host), 0, host, `${id} is to be activated, and nobody has approved that`);
    const { windows, mode: own } = policy.of(host);
    require(mode === own, 0, host, `${id} is to ${mode} on a host of mode ${own}`);
    require(action !== 'reboot' ||
      policy.of(host).rebootWhen !== 'window' ||
      windows.some(
        ({ kind }) => kind === 'allow',
      ), 0, host, `${id} reboots a host that is rebooted in windows only, and has none`);
  }

  return {
    isOpen,
    isApproved,
    isSentBack: (host, toplevel, at) => spoken.sentBack(host, at) === toplevel,
    goesBackWithWave,
    appended(fact) {
      if (fact.kind === 'pin' && fact.cause === 'wave') withWave.set(fact.host, fact);
      if (fact.kind === 'retry') withWave.clear();
      if (fact.kind === 'intent') checkIntent(fact);
    },
  };
}
