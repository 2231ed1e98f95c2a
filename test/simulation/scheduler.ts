import type { Clock } from '../../shared/platform/ports/clock.ts';
import { hashText, type Random } from './random.ts';

/** One life of a simulated program or machine. A restart is a new life: what the old one awaited never comes. */
export interface SimProcess {
  readonly name: string;
  readonly life: number;
  readonly state: 'running' | 'paused' | 'dead';
}

/** Something that could happen now, offered by a model. */
export interface Choice {
  readonly what: string;
  act(): void;
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
  /** Asked before each step for what could happen besides parked calls and timers. */
  offer(source: () => readonly Choice[]): void;
  /** Writes a line into the trace. */
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
  trace(): readonly TraceEntry[];
  /** Of the whole trace: equal for equal runs. */
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

/** All promise callbacks run before the next macrotask: nothing of the last step is left when this resolves. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** One thread of fate: it alone decides what happens next, from a seed. */
export function createScheduler(random: Random): Scheduler {
  let now = epoch;
  let parked: Parked[] = [];
  let timers: Timer[] = [];
  let steps = 0;
  let hash = 0;
  const processes = new Map<SimProcess, MutableProcess>();
  const lives = new Map<string, number>();
  const sources: (() => readonly Choice[])[] = [];
  const stopListeners: ((process: SimProcess) => void)[] = [];
  const trace: TraceEntry[] = [];

  function note(what: string): void {
    trace.push({ at: now - epoch, what });
    hash = hashText(`${hash} ${now} ${what}`);
  }

  function setState(process: SimProcess, state: MutableProcess['state']): void {
    const found = processes.get(process);
    if (found !== undefined) found.state = state;
  }

  function after(process: SimProcess | undefined, ms: number, what: string, fire: () => void): () => void {
    const timer: Timer = { at: now + Math.max(0, ms), process, what, fire };
    timers.push(timer);
    return () => {
      timers = timers.filter((other) => other !== timer);
    };
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

  function runnable(process: SimProcess | undefined): boolean {
    return process === undefined || process.state === 'running';
  }

  function ready(): Choice[] {
    const choices: Choice[] = [];
    for (const call of parked) {
      if (!runnable(call.process)) continue;
      choices.push({
        what: `${call.process.name} ${call.what}`,
        act() {
          parked = parked.filter((other) => other !== call);
          call.act();
        },
      });
    }
    for (const timer of timers) {
      if (timer.at > now || !runnable(timer.process)) continue;
      choices.push({
        what: timer.what,
        act() {
          timers = timers.filter((other) => other !== timer);
          timer.fire();
        },
      });
    }
    for (const source of sources) choices.push(...source());
    return choices;
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

  async function carryOut(choices: readonly Choice[]): Promise<void> {
    const choice = random.pick(choices);
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
      const process: MutableProcess = { name, life, state: 'running' };
      processes.set(process, process);
      return process;
    },
    kill(process) {
      setState(process, 'dead');
      processes.delete(process);
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
        now: () => now,
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
    offer(source) {
      sources.push(source);
    },
    note,
    async step(hurry) {
      steps += 1;
      let choices = ready();
      if (choices.length === 0 || (hurry > 0 && random.chance(hurry))) {
        const jumped = jump();
        if (!jumped && choices.length === 0) return 'idle';
        choices = ready();
        if (choices.length === 0) return 'acted';
      }
      await carryOut(choices);
      return 'acted';
    },
    async act() {
      const choices = ready();
      if (choices.length === 0) return false;
      await carryOut(choices);
      return true;
    },
    advance(ms) {
      now += ms;
    },
    trace: () => trace,
    hash: () => hash.toString(16).padStart(8, '0'),
    steps: () => steps,
  };
}
