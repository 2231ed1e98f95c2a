import { createController, type Controller } from '../../controller/reconcile/leader.ts';
import type { HostName } from '../../shared/domain/names.ts';
import { parseDeploymentId } from '../../shared/domain/names.ts';
import type { FaultPoint } from '../../shared/platform/ports/faults.ts';
import type { Ids } from '../../shared/platform/ports/ids.ts';
import { createProcessor } from '../../worker/processor.ts';
import { drawFeatures, type Features } from './features.ts';
import { createFaults, type Faults } from './faults.ts';
import { createInvariants, type Invariants } from './invariants.ts';
import { createLastPasses, type LastPasses } from './last-passes.ts';
import { createLeaseServer, type LeaseServer } from './models/model-lease.ts';
import { createLedgerServer, type LedgerServer } from './models/model-ledger.ts';
import { createModelHost, type ModelHost } from './models/model-host.ts';
import { createQueueServer } from './models/model-queue.ts';
import { createRepository, type Repository } from './models/model-source.ts';
import { createModelSteps } from './models/model-steps.ts';
import { createStoreServer, type StoreServer } from './models/model-store.ts';
import { createRedisServer, type RedisServer } from './models/redis-server.ts';
import { createSystems, type Systems } from './models/systems.ts';
import { createOutside, firstContent, hostNames, type Outside } from './outside.ts';
import { createPeople, type People } from './people.ts';
import { drawPolicy, type WorldPolicy } from './policy.ts';
import { createRandom, type Random } from './random.ts';
import { createScheduler, type Scheduler, type SimProcess } from './scheduler.ts';
import type { WorldSpec } from './world-spec.ts';

/** One running program, whichever life it is in. */
export interface Program {
  readonly name: string;
  readonly process: SimProcess;
  /** Dies now and is started again later. */
  crash(restartMs: number): void;
}

export interface World {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: Faults;
  readonly systems: Systems;
  readonly repository: Repository;
  readonly redis: RedisServer;
  readonly store: StoreServer;
  readonly ledger: LedgerServer;
  readonly lease: LeaseServer;
  readonly invariants: Invariants;
  readonly outside: Outside;
  readonly people: People;
  readonly policy: WorldPolicy;
  readonly features: Features;
  readonly hosts: ReadonlyMap<HostName, ModelHost>;
  readonly controllers: readonly Program[];
  readonly workers: readonly Program[];
  /** The controllers that are alive. */
  leaders(): readonly Controller[];
  readonly passes: LastPasses;
}

const patience = {
  probeEveryMs: 60_000,
  backOffMs: 5_000,
  longestBackOffMs: 60_000,
  lookAgainMs: 3_000,
};

/** Controllers and workers as they are, on a world that is made up. */
export function createWorld(spec: WorldSpec): World {
  const root = createRandom(spec.seed);
  const random = root.fork('world');
  const scheduler = createScheduler(root.fork('scheduler'), spec);
  const faults = createFaults(root.fork('faults'), spec.faults);
  const systems = createSystems();
  const names = hostNames(spec.hosts);
  const first = firstContent(names);
  const features = drawFeatures(root.fork('features'));
  const policy = drawPolicy(root.fork('policy'), { names, features, from: scheduler.now() });
  const repository = createRepository({ scheduler, faults, first, policy });
  const { note } = scheduler;
  const hosts = new Map<HostName, ModelHost>();
  const invariants = createInvariants({
    now: scheduler.now,
    repository,
    systems,
    policy,
    machine: (name) => hosts.get(name)?.machine,
    note,
  });
  const alive = new Map<string, Controller>();
  const passes = createLastPasses(() => alive.values());
  const { sabotage = {} } = spec;
  const redis = createRedisServer({ scheduler, faults });
  const store = createStoreServer({
    scheduler,
    faults,
    redis,
    watch: invariants,
    ...(sabotage.store === undefined ? {} : { sabotage: sabotage.store }),
  });
  const queue = createQueueServer({
    scheduler,
    faults,
    redis,
    enqueued: (job) => invariants.enqueued(job, store.state()),
  });
  const lease = createLeaseServer({ scheduler, redis });
  const ledger = createLedgerServer({
    scheduler,
    faults,
    appended(fact) {
      invariants.appended(fact);
      passes.outdate();
    },
    ...(sabotage.ledger === undefined ? {} : { sabotage: sabotage.ledger }),
  });
  for (const name of names) {
    const genesis = systems.of(name, { variant: -1, quality: 'good', port: 22 }).toplevel;
    const deps = { name, scheduler, random: root.fork(name), systems, genesis, watch: invariants };
    hosts.set(
      name,
      createModelHost(sabotage.host === undefined ? deps : { ...deps, sabotage: sabotage.host }),
    );
  }

  let made = 0;
  const ids: Ids = {
    deployment: () => parseDeploymentId(`d${`${(made += 1)}`.padStart(6, '0')}`),
    unique: () => `unique-${(made += 1)}`,
  };

  function program(name: string, kind: 'crash-controller' | 'crash-worker', launch: Launch): Program {
    let process = scheduler.spawn(name);
    function crash(restartMs: number): void {
      if (process.state === 'dead') return;
      scheduler.kill(process);
      alive.delete(name);
      scheduler.after(undefined, restartMs, `${name} is started`, start);
    }
    function start(): void {
      const life = scheduler.spawn(name);
      process = life;
      const faultPoint: FaultPoint = async (point) => {
        await scheduler.pass(life, `reaches ${point}`);
        if (!faults.strikes(kind, 0.01)) return;
        note(`!! ${name} dies ${point}`);
        crash(random.int(20_000));
        await scheduler.pass(life, 'is dead');
      };
      launch(life, faultPoint).catch((thrown: unknown) => {
        note(`!! ${name} exits: ${thrown instanceof Error ? thrown.message : 'something was thrown'}`);
        if (life === process) crash(2_000);
      });
    }
    start();
    return {
      name,
      get process() {
        return process;
      },
      crash,
    };
  }

  type Launch = (process: SimProcess, faultPoint: FaultPoint) => Promise<void>;

  function controller(name: string): Launch {
    return async (process, faultPoint) => {
      const made = createController({
        clock: scheduler.clock(process),
        ids,
        queue: queue.connect(process),
        store: store.connect(process),
        lease: lease.connect(process),
        ledger: ledger.connect(process),
        source: repository.connect(process),
        faultPoint,
        jitter: root.fork(`${name}.${process.life}`).next,
        settings: { name, id: name, leaseMs: 15_000, pollEveryMs: 20_000, onRewrite: 'follow', patience },
        onEvent(event) {
          if (event.kind === 'leading') note(`${name} leads epoch ${event.epoch}`);
          if (event.kind === 'not-leading') note(`${name} does not lead: ${event.reason}`);
        },
      });
      alive.set(name, made);
      await made.run(new AbortController().signal);
    };
  }

  function worker(name: string): Launch {
    return async (process, faultPoint) => {
      const steps = createModelSteps({
        process,
        scheduler,
        faults,
        random: root.fork(`${name}.${process.life}`),
        repository,
        systems,
        hosts,
        faultPoint,
      });
      await createProcessor({
        report: () => {},
        clock: scheduler.clock(process),
        queue: queue.connect(process),
        store: store.connect(process),
        steps,
        faultPoint,
        contextFor: (_subject, signal) => ({ signal, log: () => {}, progress: () => {} }),
        concurrency: { probe: 4, activate: 4, deliver: 2, evaluate: 1 },
        watchEveryMs: 2_000,
      }).start();
    };
  }

  const outside = root.fork('outside');
  const numbered = (count: number, what: string): string[] =>
    Array.from({ length: count }, (_, i) => `${what}${i + 1}`);
  return {
    scheduler,
    random,
    faults,
    systems,
    repository,
    redis,
    store,
    ledger,
    lease,
    invariants,
    outside: createOutside({ random: outside, repository, names, features }),
    people: createPeople({
      random: outside,
      now: scheduler.now,
      names,
      policy,
      features,
      facts: ledger.facts,
    }),
    policy,
    features,
    hosts,
    controllers: numbered(spec.controllers, 'controller').map((name) =>
      program(name, 'crash-controller', controller(name)),
    ),
    workers: numbered(spec.workers, 'worker').map((name) => program(name, 'crash-worker', worker(name))),
    leaders: () => [...alive.values()],
    passes,
  };
}
