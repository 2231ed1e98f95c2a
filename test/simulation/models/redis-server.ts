import { FleetError } from '../../../shared/domain/errors.ts';
import type { Faults } from '../faults.ts';
import type { Scheduler, SimProcess } from '../scheduler.ts';

/** What all models that live in Redis share: one server that can be down, forget, or lose a message. */
export interface RedisServer {
  /** One command: parked, then carried out at once. The request or the reply may be lost. */
  call<Value>(process: SimProcess, what: string, effect: () => Value): Promise<Value>;
  /** Refuses every command until it is up again. */
  down(): void;
  up(): void;
  answers(): boolean;
  /** Everything is forgotten. */
  lose(): void;
  onLose(listener: () => void): void;
  /** Told when it answers again. */
  onBack(listener: () => void): void;
}

export function unavailable(what: string): FleetError {
  return new FleetError({
    code: 'STORE_UNAVAILABLE',
    disposition: 'transient',
    message: `redis did not answer: ${what}`,
  });
}

export function createRedisServer(deps: { scheduler: Scheduler; faults: Faults }): RedisServer {
  const { scheduler, faults } = deps;
  const losers: (() => void)[] = [];
  const greeters: (() => void)[] = [];
  let running = true;
  return {
    async call(process, what, effect) {
      await scheduler.pass(process, what);
      if (!running) throw unavailable(what);
      if (faults.strikes('request-lost', 0.004)) {
        scheduler.note(`  the request is lost: ${what}`);
        throw unavailable(what);
      }
      const value = effect();
      if (faults.strikes('reply-lost', 0.006)) {
        scheduler.note(`  the reply is lost: ${what}`);
        throw unavailable(what);
      }
      return value;
    },
    down() {
      running = false;
    },
    up() {
      running = true;
      for (const greeter of greeters) greeter();
    },
    answers: () => running,
    lose() {
      for (const loser of losers) loser();
    },
    onLose(listener) {
      losers.push(listener);
    },
    onBack(listener) {
      greeters.push(listener);
    },
  };
}
