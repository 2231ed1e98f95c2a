import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { createGitLedger } from '../../controller/ledger/git-ledger.ts';
import { createController, type ControllerEvent } from '../../controller/reconcile/leader.ts';
import type { PassResult } from '../../controller/reconcile/reconciler.ts';
import { createSource } from '../../controller/source/create-source.ts';
import { createRun, type Run } from '../../shared/platform/exec.ts';
import { createGitProgram } from '../../shared/platform/git-program.ts';
import { silentLogger } from '../../shared/platform/logger.ts';
import { noFaults } from '../../shared/platform/ports/faults.ts';
import type { Steps } from '../../shared/platform/ports/steps.ts';
import { createRandomIds } from '../../shared/platform/random-ids.ts';
import { createRedisLease } from '../../shared/platform/redis/lease.ts';
import { createBullQueue } from '../../shared/platform/redis/queue.ts';
import { createRedisStore } from '../../shared/platform/redis/store.ts';
import { createSystemClock } from '../../shared/platform/system-clock.ts';
import { createProcessor } from '../../worker/processor.ts';
import { makeConfigRepo } from '../hosts/config-repo.ts';
import { startPrivateRedis } from '../support/redis.ts';
import { settledSteps } from './settled-steps.ts';
import { median, spread, timed } from './measure.ts';
import { figure, type Measured } from './report.ts';

const hosts = 200;
const limitMs = 1_000;

/**
 * Push of a commit whose tree is known until the pass that has judged every host by it. Controller, processor, Redis,
 * Git and ledger are the real ones; the hosts are made up, and so are the steps that would touch them. Only steps start
 * Nix, and while it is measured none may be asked for; what the controller itself starts is counted by name.
 */
export async function benchNoop(runs: number): Promise<Measured> {
  const dir = await mkdtemp(join(tmpdir(), 'varve-bench-'));
  const redis = await startPrivateRedis();
  const closers: (() => Promise<unknown>)[] = [
    () => rm(dir, { recursive: true, force: true }),
    () => redis.close(),
  ];
  try {
    const repo = await makeConfigRepo({
      dir: join(dir, 'repo'),
      hosts: Array.from({ length: hosts }, (_, i) => ({
        name: `host${i + 1}`,
        address: `192.0.2.${i + 1}`,
        hostKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFRoaXMgaXMgYSBrZXkgdGhhdCBuZXZlciB3YXMgcmVh',
      })),
      authorizedKeys: [],
    });
    const first = await repo.commitAndPush('How this fleet is deployed', {
      'varve.yaml': `${await repo.read('varve.yaml')}adopt: auto\n`,
    });

    const programs: string[] = [];
    const run = createRun();
    const counted: Run = (argv, options) => {
      programs.push(basename(argv[0]));
      return run(argv, options);
    };
    const git = createGitProgram({ run: counted });
    const clock = createSystemClock();
    const ids = createRandomIds();
    const shared = { redis: await redis.connect('bench'), fleet: 'default' };
    const queue = createBullQueue({ ...shared, logger: silentLogger });
    closers.push(() => queue.close(1_000));
    const store = createRedisStore(shared);
    const { source } = createSource(
      { url: repo.remote, ref: repo.branch, adapter: 'auto', dataFolder: join(dir, 'controller') },
      { git, logger: silentLogger, credential: async () => undefined },
    );
    closers.push(() => source.close());
    const ledger = createGitLedger({ git, clock, log: silentLogger }, { dir: join(dir, 'ledger.git') });
    closers.push(() => ledger.close());

    const asked: (keyof Steps)[] = [];
    const passes = createPasses();
    const stop = new AbortController();
    const controller = createController({
      clock,
      ids,
      queue,
      store,
      lease: createRedisLease(shared),
      ledger,
      source,
      faultPoint: noFaults,
      jitter: () => 0.5,
      settings: {
        name: 'bench',
        id: 'bench',
        leaseMs: 10_000,
        pollEveryMs: 3_600_000,
        onRewrite: 'follow',
        patience: {
          probeEveryMs: 3_600_000,
          backOffMs: 5_000,
          longestBackOffMs: 600_000,
          lookAgainMs: 1_000,
        },
      },
      onEvent: passes.tell,
    });
    const processor = createProcessor({
      report: () => {},
      clock,
      queue,
      store,
      steps: counting(settledSteps(clock), asked),
      faultPoint: noFaults,
      concurrency: { evaluate: 1, deliver: 8, activate: 16, probe: 16 },
      watchEveryMs: 1_000,
      contextFor: (_, signal) => ({ signal, log() {}, progress() {} }),
    });
    await processor.start();
    const running = controller.run(stop.signal);
    closers.push(async () => {
      stop.abort();
      await running;
    });
    await passes.settled(first);

    const took: number[] = [];
    programs.length = 0;
    asked.length = 0;
    for (let round = 0; round < runs; round += 1) {
      await repo.git('commit', '--quiet', '--allow-empty', '--message', `Nothing new ${round}`);
      const revision = await repo.head();
      const settled = passes.settled(revision);
      took.push(
        await timed(async () => {
          await repo.push();
          controller.look();
          await settled;
        }),
      );
    }
    if (asked.length > 0) throw new Error(`a worker was asked to ${asked.join(', ')}`);
    const nix = programs.filter((name) => name.startsWith('nix'));
    if (nix.length > 0) throw new Error(`the controller started ${nix.join(', ')}`);
    return {
      figure: figure({
        bench: 'noop',
        case: `${hosts} simulated hosts`,
        ours: median(took),
        theirs: limitMs,
        unit: 'ms',
        runs,
      }),
      notes: [
        `theirs is the limit; ours ${spread(took)}; ${programs.length / runs} processes a commit (${[...new Set(programs)].join(', ')}); no step was asked of a worker, and only steps start Nix`,
      ],
    };
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}

/** The same steps, which write down that they were asked for. */
function counting(steps: Steps, asked: (keyof Steps)[]): Steps {
  return {
    evaluate(...request) {
      asked.push('evaluate');
      return steps.evaluate(...request);
    },
    deliver(...request) {
      asked.push('deliver');
      return steps.deliver(...request);
    },
    activate(...request) {
      asked.push('activate');
      return steps.activate(...request);
    },
    probe(...request) {
      asked.push('probe');
      return steps.probe(...request);
    },
  };
}

/** Waits for the pass that finds every host in sync with a revision. */
function createPasses(): {
  tell(event: ControllerEvent): void;
  settled(revision: string): Promise<void>;
} {
  let last: PassResult | undefined;
  let wanted: { readonly revision: string; readonly resolve: () => void } | undefined;
  function look(): void {
    if (wanted === undefined || last?.desired.kind !== 'ready') return;
    if (last.desired.observation.revision !== wanted.revision || last.verdicts.length !== hosts) return;
    if (last.verdicts.every(({ kind }) => kind === 'in-sync')) wanted.resolve();
  }
  return {
    tell(event) {
      if (event.kind === 'pass-failed') throw event.error;
      if (event.kind !== 'passed') return;
      last = event.result;
      look();
    },
    settled: (revision) =>
      new Promise((resolve) => {
        wanted = { revision, resolve };
        look();
      }),
  };
}
