import type { FaultKind } from './faults.ts';
import type { ModelHost } from './models/model-host.ts';
import type { Program, World } from './world.ts';

/** The faults that strike by themselves, one at a time. The others strike inside the models. */
export function createChaos(world: World): { strike(): void } {
  const { faults, scheduler } = world;
  const random = world.random.fork('chaos');
  const seconds = (most: number): number => 1_000 + random.int(most * 1_000);
  /** Mostly short, now and then long enough to outlast every lease and deadline. */
  const aWhile = (): number => seconds(random.chance(0.3) ? 300 : 30);
  const hosts = [...world.hosts.values()];

  /** Rather one on which something is under way. */
  function host(): ModelHost {
    const busy = random.chance(0.5) ? hosts.filter(({ isBusy }) => isBusy()) : [];
    return random.pick(busy.length > 0 ? busy : hosts);
  }

  /** Back or ahead, mostly by little. */
  function stepClock(): void {
    const { name } = random.pick([...world.controllers, ...world.workers]);
    const most = random.pick([5_000, 5_000, 120_000, 3 * 3_600_000]);
    scheduler.stepClock(name, random.int(2 * most) - most);
  }

  function crash(programs: readonly Program[]): void {
    random.pick(programs).crash(seconds(30));
  }

  function pause(programs: readonly Program[]): void {
    scheduler.pause(random.pick(programs).process, aWhile());
  }

  function away(): void {
    world.redis.down();
    scheduler.after(undefined, seconds(20), 'redis answers again', world.redis.up);
  }

  const acts: readonly { readonly kind: FaultKind; act(): void }[] = [
    { kind: 'crash-controller', act: () => crash(world.controllers) },
    { kind: 'crash-worker', act: () => crash(world.workers) },
    { kind: 'pause-controller', act: () => pause(world.controllers) },
    { kind: 'pause-worker', act: () => pause(world.workers) },
    {
      kind: 'redis-lost',
      act() {
        world.redis.lose();
        away();
      },
    },
    {
      kind: 'redis-rewound',
      act() {
        world.store.rewind(random.int(1_500));
        away();
      },
    },
    { kind: 'redis-down', act: away },
    { kind: 'network-cut', act: () => host().cutLink(aWhile()) },
    { kind: 'host-hung', act: () => host().hang(aWhile()) },
    { kind: 'power-cut', act: () => host().cutPower(aWhile()) },
    { kind: 'switch-lock', act: () => host().holdSwitchLock(aWhile()) },
    { kind: 'lease-lost', act: () => world.lease.lose() },
    { kind: 'clock-step', act: stepClock },
  ];

  return {
    strike() {
      // Drawn before it is looked at whether it is enabled: switching one kind off leaves the others where they were.
      const { kind, act } = random.pick(acts);
      if (!faults.enabled(kind)) return;
      faults.count(kind);
      scheduler.note(`!! ${kind}`);
      act();
    },
  };
}
