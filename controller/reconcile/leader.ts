import { failureOf, FleetError, type Failure } from '../../shared/domain/errors.ts';
import type { Fact } from '../../shared/domain/facts.ts';
import { lastGood, type Memory } from '../../shared/domain/memory.ts';
import type { HostName } from '../../shared/domain/names.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { DeploymentStore, Term } from '../../shared/platform/ports/deployment-store.ts';
import type { FaultPoint } from '../../shared/platform/ports/faults.ts';
import type { Ids } from '../../shared/platform/ports/ids.ts';
import type { JobQueue } from '../../shared/platform/ports/job-queue.ts';
import type { Lease } from '../../shared/platform/ports/lease.ts';
import type { Ledger } from '../../shared/platform/ports/ledger.ts';
import type { Source } from '../../shared/platform/ports/source.ts';
import { createBell, type Bell } from './bell.ts';
import { createCommands } from './commands.ts';
import { linkedAbort } from './linked-abort.ts';
import { takeOffice, type Office } from './office.ts';
import type { Patience } from './plan/plan-input.ts';
import { createReconciler, LeadershipLost, notLeading, type PassResult } from './reconciler.ts';
import { createWatcher, type Observed, type SourceState, type Watcher } from './watcher.ts';

/** At most this often may one host force a new leadership, by a token above the present one's. */
const believedEveryMs = 3_600_000;

export interface ControllerDeps {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly queue: JobQueue;
  readonly store: DeploymentStore;
  readonly lease: Lease;
  readonly ledger: Ledger;
  readonly source: Source;
  readonly faultPoint: FaultPoint;
  readonly jitter: () => number;
  readonly settings: ControllerSettings;
  readonly onEvent: (event: ControllerEvent) => void;
}

export interface ControllerSettings {
  /** How this controller is called: a name, and the address of its API, where others may be sent to. */
  readonly name: string;
  /** Tells it from every other controller, also from one of the same name; the same after a restart. */
  readonly id: string;
  readonly leaseMs: number;
  readonly pollEveryMs: number;
  readonly onRewrite: 'follow' | 'hold';
  readonly patience: Patience;
}

/** What happens, for logs, metrics and whoever listens. */
export type ControllerEvent =
  | { readonly kind: 'leading'; readonly epoch: number }
  | { readonly kind: 'not-leading'; readonly reason: string }
  | { readonly kind: 'facts'; readonly facts: readonly Fact[] }
  | { readonly kind: 'passed'; readonly result: PassResult; readonly durationMs: number }
  | { readonly kind: 'pass-failed'; readonly error: unknown };

/** What the leader knows: read by the API. */
export interface Reign {
  readonly term: Term;
  readonly memory: Memory;
  readonly source: SourceState;
  readonly last: PassResult | undefined;
  /** Why the newest pass did not come to its end. */
  readonly passFailure: Failure | undefined;
}

export interface Controller {
  /** Stands by, leads when it can, until `signal` aborts. Rejects only for errors that retrying cannot fix. */
  run(signal: AbortSignal): Promise<void>;
  reign(): Reign | undefined;
  /** A hint that the tracked ref may have moved. */
  look(): void;
  /** Probes every host anew; returns since when a probe counts as such. @throws FleetError NOT_LEADER */
  probe(): number;
  /** Appends a person's facts with the next pass; resolves when they are durable. @throws FleetError NOT_LEADER */
  command(facts: readonly Fact[]): Promise<void>;
}

/**
 * Leadership: the lease lets one try, the ledger lets one win. A leadership begins by loading the ledger, appending an
 * epoch above all others, and giving the store a new life; it ends when any of the three is lost.
 */
export function createController(deps: ControllerDeps): Controller {
  const { clock, lease, settings } = deps;
  const commands = createCommands();
  const holder = { name: settings.name, id: settings.id };
  let aboveEpoch = 0;
  let freshSince = -Infinity;
  /** Hosts for which a leadership gave way to one above their token, and when. */
  const gaveWayTo = new Map<HostName, number>();
  let reigning:
    | {
        term: Term;
        memory: Memory;
        watcher: Watcher;
        ring: () => void;
        last: PassResult | undefined;
        passFailure: Failure | undefined;
      }
    | undefined;

  async function lead(signal: AbortSignal): Promise<void> {
    const end = linkedAbort(signal);
    const whileLeading = end.signal;
    let heldUntil = 0;
    async function hold(): Promise<boolean> {
      const before = clock.now();
      const held = await lease.hold(holder, settings.leaseMs);
      if (held) heldUntil = before + settings.leaseMs;
      return held;
    }
    const background: Promise<void>[] = [];
    try {
      if (!(await hold())) return;
      // From here on: a long history may take longer to read than the lease lives.
      background.push(renew(hold, end.abort, whileLeading));
      const office = await takeOffice({ ...deps, name: settings.name }, aboveEpoch);
      const { term, keeper } = office;
      const watcher = createWatcher({
        clock,
        source: deps.source,
        jitter: deps.jitter,
        pollEveryMs: settings.pollEveryMs,
        onRewrite: settings.onRewrite,
      });
      const bell = createBell(clock);
      commands.open(bell.ring);
      const close = await deps.store.onChange(bell.ring);
      try {
        const { memory } = keeper;
        reigning = { term, memory, watcher, ring: bell.ring, last: undefined, passFailure: undefined };
        deps.onEvent({ kind: 'leading', epoch: term.epoch });
        background.push(watcher.watch(() => observedBy(keeper.memory), bell.ring, whileLeading));
        await passes(office, watcher, bell, whileLeading, () => heldUntil);
        if (!signal.aborted) throw new LeadershipLost('someone else holds the lease');
      } finally {
        await close();
      }
    } finally {
      reigning = undefined;
      commands.shut(notLeading(undefined));
      end.abort();
      end.release();
      await Promise.allSettled(background);
      // Whoever could not go on lets the next one try: it may reach the ledger that this one does not.
      if (heldUntil > 0) await letGo();
    }
  }

  /** Renews the lease three times within its life; ends the leadership when someone else has it. */
  async function renew(hold: () => Promise<boolean>, end: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(settings.leaseMs / 3, signal);
      if (signal.aborted) return;
      try {
        if (!(await hold())) end();
      } catch {
        // The store is out of reach: the lease runs out by itself, and passes check that.
      }
    }
  }

  async function letGo(): Promise<void> {
    try {
      await lease.release(holder);
    } catch {
      // It runs out by itself.
    }
  }

  async function passes(
    { term, keeper, since }: Office,
    watcher: Watcher,
    bell: Bell,
    signal: AbortSignal,
    heldUntil: () => number,
  ): Promise<void> {
    const reconciler = createReconciler(
      {
        clock,
        since,
        ids: deps.ids,
        queue: deps.queue,
        store: deps.store,
        ledger: deps.ledger,
        faultPoint: deps.faultPoint,
        patience: settings.patience,
        sighting: watcher.sighting,
        read: watcher.read,
        good: watcher.good,
        commands,
        believesAhead: (host) => clock.now() - (gaveWayTo.get(host) ?? -Infinity) > believedEveryMs,
        freshSince: () => freshSince,
        onFacts: (facts) => deps.onEvent({ kind: 'facts', facts }),
      },
      term,
      keeper,
    );
    let failures = 0;
    while (!signal.aborted) {
      const began = clock.now();
      if (began >= heldUntil()) throw new LeadershipLost('the lease ran out');
      bell.quiet();
      let next: number | undefined;
      try {
        const result = await reconciler.pass();
        if (reigning !== undefined) {
          reigning.last = result;
          reigning.passFailure = undefined;
        }
        deps.onEvent({ kind: 'passed', result, durationMs: clock.now() - began });
        failures = 0;
        next = result.requeueAt;
      } catch (thrown) {
        if (thrown instanceof LeadershipLost || !(thrown instanceof FleetError)) throw thrown;
        if (thrown.disposition === 'stalled') throw thrown;
        if (reigning !== undefined) reigning.passFailure = failureOf(thrown);
        deps.onEvent({ kind: 'pass-failed', error: thrown });
        failures += 1;
        // Not rung awake by its own failing writes.
        await clock.sleep(Math.min(100 * 2 ** failures, 5_000), signal);
        continue;
      }
      await bell.wait(next, signal);
    }
  }

  return {
    async run(signal) {
      let failures = 0;
      while (!signal.aborted) {
        try {
          await lead(signal);
          failures = 0;
        } catch (thrown) {
          if (thrown instanceof LeadershipLost) {
            if (thrown.ahead !== undefined) {
              aboveEpoch = Math.max(aboveEpoch, thrown.ahead.token.epoch);
              gaveWayTo.set(thrown.ahead.host, clock.now());
            }
            deps.onEvent({ kind: 'not-leading', reason: thrown.message });
          } else if (thrown instanceof FleetError && thrown.disposition !== 'stalled') {
            deps.onEvent({ kind: 'pass-failed', error: thrown });
          } else {
            throw thrown;
          }
          failures += 1;
        }
        if (!signal.aborted) {
          await clock.sleep(Math.min(settings.leaseMs / 3, 250 * 2 ** Math.min(failures, 6)), signal);
        }
      }
    },
    reign: () =>
      reigning === undefined
        ? undefined
        : {
            term: reigning.term,
            memory: reigning.memory,
            source: reigning.watcher.state(),
            last: reigning.last,
            passFailure: reigning.passFailure,
          },
    look: () => reigning?.watcher.hint(),
    probe() {
      if (reigning === undefined) throw notLeading(undefined);
      // Not before a pass that has been: the time of passes may be ahead of the clock.
      freshSince = Math.max(clock.now(), (reigning.last?.at ?? 0) + 1);
      reigning.ring();
      return freshSince;
    },
    command: (facts) => commands.submit(facts),
  };
}

function observedBy(memory: Memory): Observed {
  return { newest: memory.observations.at(-1)?.revision, good: lastGood(memory)?.revision };
}
