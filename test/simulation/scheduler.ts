import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { Random } from './random.ts';

/** One life of a simulated program or machine. A restart is a new life: what the old one awaited never comes. */
export interface SimProcess {
  readonly name: string;
  readonly life: number;
  readonly state: 'running' | 'paused' | 'dead';
}

/** Something that could happen now. */
export interface Choice {
  readonly what: string;
  act(): void;
}

/** Things that a model offers to happen now: counted before every step, and made only once one of them is chosen. */
export interface ChoiceSource {
  count(): number;
  /** @param index below what `count` gave last */
  choice(index: number): Choice;
}

export interface TraceEntry {
  readonly at: number;
  readonly what: string;
}

export interface Scheduler {
  /** Virtual milliseconds since the epoch. */
  now(): number;
  spawn(name: string): SimProcess;
  /** Its parked calls and timers vanish; nothing of it runs again. */
  kill(process: SimProcess): void;
  /** Its parked calls and timers stand still until it wakes, `ms` later. */
  pause(process: SimProcess, ms: number): void;
  wake(process: SimProcess): void;
  /** Told whenever a process is killed or paused. */
  onStop(listener: (process: SimProcess) => void): void;
  /** Parks the caller until the scheduler lets it go on. Every call of a model port goes through here. */
  pass(process: SimProcess, what: string): Promise<void>;
  /** Calls back at `now + ms`; with a process, only while that life runs. Returns the canceller. */
  after(process: SimProcess | undefined, ms: number, what: string, fire: () => void): () => void;
  clock(process: SimProcess): Clock;
  /** The clock of all processes with this name jumps; how long they sleep does not depend on it. */
  stepClock(name: string, ms: number): void;
  /** All clocks are right again. */
  setClocks(): void;
  /** Asked before each step for what could happen besides parked calls and timers. */
  offer(source: ChoiceSource): void;
  /** Writes a line into the trace, if there is one. */
  note(what: string): void;
  /**
   * Lets one thing happen and all that follows from it at once. `hurry`: the probability that time jumps to the
   * next timer although something could happen now. `idle`: nothing is left to happen, ever.
   */
  step(hurry: number): Promise<'acted' | 'idle'>;
  /** As `step`, but time stands still: false if nothing can happen now. */
  act(): Promise<boolean>;
  /** Lets time pass in which nothing happens. */
  advance(ms: number): void;
  /** Empty unless it was asked for: most runs are only counted, and the same seed tells the same story again. */
  trace(): readonly TraceEntry[];
  /** Of everything that happened: equal for equal runs. */
  hash(): string;
  steps(): number;
}

interface MutableProcess extends SimProcess {
  state: 'running' | 'paused' | 'dead';
}

interface Timer {
  readonly at: number;
  readonly process: SimProcess | undefined;
  readonly what: string;
  fire(): void;
}

interface Parked extends Choice {
  readonly process: SimProcess;
}

const epoch = Date.UTC(2030, 0, 1);

/**
 * Ticks run once no promise callback is left, and before anything else: nothing of the last step is left when this
 * resolves. The models wait for nothing but each other, so the event loop need not go round.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}

/** One thread of fate: it alone decides what happens next, from a seed. */
export function createScheduler(random: Random, options: { readonly traced?: boolean } = {}): Scheduler {
  let now = epoch;
  let parked: Parked[] = [];
  let timers: Timer[] = [];
  let steps = 0;
  let hash = 0;
  /** How far the clocks of processes are off. */
  const offsets = new Map<string, number>();
  const lives = new Map<string, number>();
  const sources: ChoiceSource[] = [];
  const stopListeners: ((process: SimProcess) => void)[] = [];
  const trace: TraceEntry[] = [];

  function note(what: string): void {
    if (options.traced === true) trace.push({ at: now - epoch, what });
    hash = Math.imul(hash ^ (now - epoch), 0x01000193) ^ what.length;
  }

  function setState(process: SimProcess, state: SimProcess['state']): void {
    const mutable: MutableProcess = process;
    if (mutable.state !== 'dead') mutable.state = state;
  }

  function after(process: SimProcess | undefined, ms: number, what: string, fire: () => void): () => void {
    const timer: Timer = { at: now + Math.max(0, ms), process, what, fire };
    timers.push(timer);
    return () => remove(timers, timer);
  }

  function stopped(process: SimProcess): void {
    for (const listener of stopListeners) listener(process);
  }

  function pass(process: SimProcess, what: string): Promise<void> {
    return new Promise((resolve) => {
      if (process.state === 'dead') return;
      parked.push({ process, what, act: resolve });
    });
  }

  function isDue(timer: Timer): boolean {
    return timer.at <= now && runnable(timer.process);
  }

  /** How many things could happen now. Counted in every step, so nothing is made of them here. */
  function countReady(): number {
    let count = 0;
    for (const { process } of parked) if (process.state === 'running') count += 1;
    for (const timer of timers) if (isDue(timer)) count += 1;
    for (const source of sources) count += source.count();
    return count;
  }

  /** Takes the thing with this number out of those that could happen now. */
  function take(index: number): Choice {
    let left = index;
    for (const call of parked) {
      if (call.process.state !== 'running' || left-- > 0) continue;
      remove(parked, call);
      return { what: `${call.process.name} ${call.what}`, act: call.act };
    }
    for (const timer of timers) {
      if (!isDue(timer) || left-- > 0) continue;
      remove(timers, timer);
      return { what: timer.what, act: timer.fire };
    }
    for (const source of sources) {
      const count = source.count();
      if (left < count) return source.choice(left);
      left -= count;
    }
    throw new Error(`there are no ${index + 1} things that could happen`);
  }

  function jump(): boolean {
    let next = Number.POSITIVE_INFINITY;
    for (const timer of timers) {
      if (timer.at > now && timer.at < next && runnable(timer.process)) next = timer.at;
    }
    if (next === Number.POSITIVE_INFINITY) return false;
    now = next;
    return true;
  }

  function wake(process: SimProcess): void {
    if (process.state === 'paused') setState(process, 'running');
  }

  async function carryOut(count: number): Promise<void> {
    const choice = take(random.int(count));
    // Everything costs a little time, so that nothing can go round in a moment that never ends.
    now += random.int(4);
    note(choice.what);
    choice.act();
    await settled();
  }

  return {
    now: () => now,
    spawn(name) {
      const life = (lives.get(name) ?? 0) + 1;
      lives.set(name, life);
      return { name, life, state: 'running' };
    },
    kill(process) {
      setState(process, 'dead');
      parked = parked.filter((call) => call.process !== process);
      timers = timers.filter((timer) => timer.process !== process);
      stopped(process);
    },
    pause(process, ms) {
      if (process.state !== 'running') return;
      setState(process, 'paused');
      after(undefined, ms, `${process.name} wakes`, () => wake(process));
      stopped(process);
    },
    wake,
    onStop(listener) {
      stopListeners.push(listener);
    },
    pass,
    after,
    clock(process) {
      return {
        now: () => now + (offsets.get(process.name) ?? 0),
        sleep(ms, signal) {
          return new Promise((resolve) => {
            if (process.state === 'dead') return;
            if (signal?.aborted === true) {
              resolve();
              return;
            }
            let cancel = (): void => {};
            const wake = (): void => {
              cancel();
              signal?.removeEventListener('abort', wake);
              resolve();
            };
            cancel = after(process, ms, `${process.name} ends a sleep`, wake);
            signal?.addEventListener('abort', wake);
          });
        },
      };
    },
    stepClock(name, ms) {
      offsets.set(name, (offsets.get(name) ?? 0) + ms);
    },
    setClocks: () => offsets.clear(),
    offer(source) {
      sources.push(source);
    },
    note,
    async step(hurry) {
      steps += 1;
      let count = countReady();
      if (count === 0 || (hurry > 0 && random.chance(hurry))) {
        const jumped = jump();
        if (!jumped && count === 0) return 'idle';
        count = countReady();
        if (count === 0) return 'acted';
      }
      await carryOut(count);
      return 'acted';
    },
    async act() {
      const count = countReady();
      if (count === 0) return false;
      await carryOut(count);
      return true;
    },
    advance(ms) {
      now += ms;
    },
    trace: () => trace,
    hash: () => (hash >>> 0).toString(16).padStart(8, '0'),
    steps: () => steps,
  };
}

function runnable(process: SimProcess | undefined): boolean {
  return process === undefined || process.state === 'running';
}

function remove<Item>(from: Item[], item: Item): void {
  const at = from.indexOf(item);
  if (at >= 0) from.splice(at, 1);
}
