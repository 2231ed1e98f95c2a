import { hostsOf, returningBy, type Desired } from '../../../shared/domain/desired.ts';
import type { Check } from '../../../shared/domain/check.ts';
import type { Connection, HostSpec, Mode, UnitFailures } from '../../../shared/domain/fleet.ts';
import {
  connectionAs,
  pinAt,
  type HostMemory,
  type Memory,
  type Pin,
} from '../../../shared/domain/memory.ts';
import { activeTesting, type Testing } from '../../../shared/domain/testing.ts';
import type { DrvPath, HostName, StorePath } from '../../../shared/domain/names.ts';

/** The system that a host is to run, and why that one. */
export interface Target {
  readonly toplevel: StorePath;
  readonly drvPath: DrvPath | undefined;
  /** Set where it is not what the newest observation wants. */
  readonly pin: Pin | undefined;
  /** Set where it is what the host's testing branch wants. */
  readonly testing: Testing | undefined;
}

/**
 * How a host is brought to its target: whoever goes back is to stay there after a reboot, whatever its usual mode, and
 * what is tested is gone with one.
 */
export function modeFor(target: Target, { mode }: HostSpec): Mode {
  if (target.testing !== undefined) return mode === 'dry-activate' ? mode : 'test';
  if (target.pin === undefined || mode === 'boot') return mode;
  return 'switch';
}

/**
 * How a host answers once it runs its target. Whoever goes back answers as it did then, if its system decides that; where
 * the network does, it is where the newest revision looks for it, which is tried as well. Pure.
 */
export function connectionFor({ pin, toplevel }: Target, spec: HostSpec, memory: Memory): Connection {
  const then = pin === undefined ? undefined : connectionAs(memory, spec.name, toplevel);
  return then ?? spec.connection;
}

/**
 * What is asked of a host besides its units and its connection. Of whoever goes back nothing is: the checks are the newest
 * revision's, and may ask for what only its systems have, or keep a host on the very system that fails them. Pure.
 */
export function checksFor({ pin }: Target, { checks }: HostSpec): readonly Check[] {
  return pin === undefined ? checks : [];
}

/** Nor does what had failed for long keep a host from going back, should the newest revision be strict about that. Pure. */
export function unitFailuresFor({ pin }: Target, { unitFailures }: HostSpec): UnitFailures {
  return pin !== undefined && unitFailures === 'any' ? 'new' : unitFailures;
}

/**
 * What a host is to run at a time: the system that it was rolled back to, else what it tests, else what the newest release has for it;
 * `undefined` if nothing is known, or nothing is wanted. Pure.
 */
export function targetOf(
  host: HostName,
  desired: Desired,
  remembered: HostMemory | undefined,
  now: number,
): Target | undefined {
  const pin = pinAt(remembered, now);
  if (pin !== undefined && hostsOf(returningBy(desired)).has(host)) {
    return { toplevel: pin.to.toplevel, drvPath: pin.to.drvPath, pin, testing: undefined };
  }
  if (desired.kind !== 'ready') return undefined;
  const released = desired.release.hosts.get(host);
  if (released === undefined) return undefined;
  const { toplevel, drvPath } = released;
  const testing = activeTesting(remembered, desired.observation);
  // A branch that changes nothing on the host leaves nothing to be tested.
  if (testing?.released === undefined || testing.released.toplevel === toplevel) {
    return { toplevel, drvPath, pin: undefined, testing: undefined };
  }
  return { ...testing.released, pin: undefined, testing };
}
