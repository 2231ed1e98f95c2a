import { createChaos } from './chaos.ts';
import { checkVerdicts } from './convergence.ts';
import { faultKinds, type FaultKind } from './faults.ts';
import type { Violation } from './invariants.ts';
import type { Fact } from '../../shared/domain/facts.ts';
import type { StorePath } from '../../shared/domain/names.ts';
import type { Machine } from './models/machine.ts';
import { cutsOff } from './models/systems.ts';
import { createRandom, type Random } from './random.ts';
import { finalVerdicts } from './rest.ts';
import type { TraceEntry } from './scheduler.ts';
import type { Sabotage } from './world-spec.ts';
import { createWorld, type World } from './world.ts';

export interface RunSpec {
  readonly seed: string;
  /** Otherwise drawn from the seed. */
  readonly hosts?: number | undefined;
  /** Fault kinds that do not strike in this run. */
  readonly without?: ReadonlySet<FaultKind>;
  readonly sabotage?: Sabotage;
  /** Keeps every step for people to read. Without it a run is faster, and the same. */
  readonly traced?: boolean;
}

export interface RunResult {
  readonly seed: string;
  readonly violation: Violation | undefined;
  readonly steps: number;
  readonly activations: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** The fault kinds that the seed chose. */
  readonly kinds: ReadonlySet<FaultKind>;
  /** How many hosts ended with each verdict. */
  readonly verdicts: ReadonlyMap<string, number>;
  readonly hash: string;
  /** Empty unless it was asked for. */
  readonly trace: readonly TraceEntry[];
}

/** How long, in virtual milliseconds, and in how many steps a fleet has to come to rest once nothing fails any more. */
const restMs = 45 * 60_000;
const restSteps = 60_000;

/** One story from a seed: trouble first, then calm, then the last question: is everything where it belongs? */
export async function simulate(spec: RunSpec): Promise<RunResult> {
  const shape = createRandom(spec.seed).fork('shape');
  // Each seed has troubles of its own: all at once would mostly show how nothing happens.
  const share = shape.pick([0, 0.3, 0.6, 1]);
  const drawn = faultKinds.filter(() => shape.chance(share));
  const kinds = new Set(drawn.filter((kind) => spec.without?.has(kind) !== true));
  const drawnHosts = 1 + shape.int(4);
  const world = createWorld({
    seed: spec.seed,
    hosts: spec.hosts ?? drawnHosts,
    controllers: 1 + shape.int(2),
    workers: 1 + shape.int(3),
    faults: kinds,
    traced: spec.traced === true,
    ...(spec.sabotage === undefined ? {} : { sabotage: spec.sabotage }),
  });
  // Short ones are as often met as long ones are: what takes few steps to happen is found for less.
  const troubled = Math.round(200 * 20 ** shape.next());
  const hurry = shape.pick([0, 0.02, 0.1]);
  await trouble(world, troubled, shape.pick([0.002, 0.006, 0.015]), hurry);
  const verdicts = await calm(world);
  return {
    seed: spec.seed,
    violation: world.invariants.violation(),
    steps: world.scheduler.steps(),
    activations: world.invariants.activations(),
    faults: world.faults.counts(),
    kinds,
    verdicts,
    hash: world.scheduler.hash(),
    trace: world.scheduler.trace(),
  };
}

async function trouble(world: World, steps: number, rate: number, hurry: number): Promise<void> {
  const { scheduler, invariants } = world;
  const chaos = createChaos(world);
  const random = world.random.fork('trouble');
  // Who has more to say says more.
  const quarantines = world.features.has('checks');
  const commands = world.features.size > 1 ? 0.004 : 0.002;
  for (let i = 0; i < steps && invariants.violation() === undefined; i += 1) {
    if (random.chance(rate)) chaos.strike();
    if (random.chance(0.006)) scheduler.note(`## ${world.outside.act()}`);
    if (random.chance(commands)) say(world, world.people.command());
    if (random.chance(0.001)) reboot(world, random);
    if (quarantines && random.chance(0.002)) quarantine(world, random);
    await scheduler.step(hurry);
  }
}

/** A person asks every controller: the one that leads does it, the others refuse. */
function say(world: World, facts: readonly Fact[]): void {
  if (facts.length === 0) return;
  world.people.said(facts);
  world.scheduler.note(`## a person asks for: ${facts.map((fact) => fact.kind).join(' ')}`);
  for (const controller of world.leaders()) {
    controller.command(facts).then(
      () => {
        world.scheduler.note('## it is durable');
        world.invariants.answered(facts);
        world.people.heard(facts);
      },
      () => {},
    );
  }
}

function reboot(world: World, random: Random): void {
  const host = random.pick([...world.hosts.values()]);
  world.scheduler.note(`## a person reboots ${host.machine.name}`);
  host.reboot();
}

/** A check that comes before activations says no for a while. */
function quarantine({ hosts, scheduler }: World, random: Random): void {
  const { machine } = random.pick([...hosts.values()]);
  if (machine.quarantined) return;
  scheduler.note(`## ${machine.name} is quarantined`);
  machine.quarantined = true;
  // Some for longer than anybody waits.
  if (random.chance(0.2)) return;
  scheduler.after(undefined, random.int(5 * 60_000), `${machine.name} is ready again`, () => {
    machine.quarantined = false;
  });
}

/** Its roll back failed, and what it is stuck on answers where nobody looks: the port is of a commit that was taken back. */
function sticksElsewhere({ repository, systems }: World, { name, current, records }: Machine): boolean {
  const wanted = repository.head().content.hosts.get(name);
  const isStuck = [...records.values()].some(
    ({ deployment, end }) => end?.kind === 'stuck' && deployment.toplevel === current,
  );
  return isStuck && wanted !== undefined && systems.find(current).port !== wanted.port;
}

/** Nothing gets through to a host, and it does not go back by itself: a person boots it, by hand. */
function rescue(world: World): void {
  const reaches = (system: StorePath): boolean => !cutsOff(world.systems.find(system).quality);
  for (const host of world.hosts.values()) {
    const { machine } = host;
    const isReached = reaches(machine.current) && !sticksElsewhere(world, machine);
    if (machine.running === undefined || host.isBusy() || isReached) continue;
    // One that a switch has left cut off boots what it had before; of one that was booted so an older one is chosen.
    if (!reaches(machine.bootDefault)) {
      machine.chosen = [...machine.generations.values()].findLast(reaches);
      machine.bootOnce = machine.chosen;
    }
    world.scheduler.note(`## a person finds that nothing gets through to ${machine.name}, and reboots it`);
    host.reboot();
  }
}

async function calm(world: World): Promise<ReadonlyMap<string, number>> {
  const { scheduler, invariants } = world;
  world.faults.stop();
  scheduler.setClocks();
  scheduler.note(`## the faults stop; ${world.outside.settle()}`);
  const until = scheduler.now() + restMs;
  world.passes.outdate();
  const counts = new Map<string, number>();
  for (let i = 0; i < restSteps && scheduler.now() < until; i += 1) {
    if (invariants.violation() !== undefined) return counts;
    const final = finalVerdicts(world);
    if (typeof final !== 'string') {
      checkVerdicts(world, final);
      invariants.checkClosed();
      for (const { kind } of final.verdicts) counts.set(kind, (counts.get(kind) ?? 0) + 1);
      return counts;
    }
    if (i % 1_000 === 999) rescue(world);
    if (i % 100 === 99) say(world, world.people.lastWords());
    await scheduler.step(0);
  }
  const final = finalVerdicts(world);
  invariants.fail({
    invariant: 6,
    host: undefined,
    what: `the fleet does not come to rest: ${typeof final === 'string' ? final : 'it just did'}`,
  });
  return counts;
}
