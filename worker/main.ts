#!/usr/bin/env node
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workerRootsFolder } from '../shared/contracts/places.ts';
import { parseWorkerConfig } from '../shared/contracts/service-config.ts';
import { createRun } from '../shared/platform/exec.ts';
import { faultPointFromEnvironment } from '../shared/platform/fault-points.ts';
import { createGitProgram } from '../shared/platform/git-program.ts';
import { createLogger } from '../shared/platform/logger.ts';
import { FleetError } from '../shared/domain/errors.ts';
import type { StepContext, Steps } from '../shared/platform/ports/steps.ts';
import { createRedactor } from '../shared/platform/redact.ts';
import { connectRedis } from '../shared/platform/redis/client.ts';
import { createRedisClosures } from '../shared/platform/redis/closures.ts';
import { createRedisDeploymentLog } from '../shared/platform/redis/deployment-log.ts';
import { createRedisLease } from '../shared/platform/redis/lease.ts';
import { createBullQueue } from '../shared/platform/redis/queue.ts';
import { createRedisStore } from '../shared/platform/redis/store.ts';
import {
  configOrExit,
  createClosers,
  internalToken,
  redisAddress,
  serviceConfigInput,
  untilSignalled,
} from '../shared/platform/service.ts';
import { parseSigningKey, type SigningKey } from '../shared/platform/signing-key.ts';
import { createSystemClock } from '../shared/platform/system-clock.ts';
import { version } from '../shared/platform/version.ts';
import { startCache } from './cache/start-cache.ts';
import { askWorkerCommand } from './checks/ask-worker.ts';
import { createChecks } from './checks/checks.ts';
import { createActivate } from './activate/activate.ts';
import { guardBytes, guardStorePath } from './guard/guard-path.ts';
import { createBuilds } from './deliver/builds.ts';
import { createDeliver } from './deliver/deliver.ts';
import { createLocalGuard } from './deliver/local-guard.ts';
import { createEvaluate } from './evaluate/evaluate.ts';
import { createEvaluator, usualEvaluatorSettings } from './evaluate/evaluator.ts';
import { machineNow } from './evaluate/machine.ts';
import { createTreeStore } from './evaluate/tree-store.ts';
import { controllerAddresses, createFetchTree } from './fetch-tree.ts';
import { createHostHas } from './host-has.ts';
import { createLocalDaemon } from './nix/local-daemon.ts';
import { createNix } from './nix/nix.ts';
import { createRoots } from './nix/roots.ts';
import { createNixStore } from './nix/store.ts';
import { createProbe } from './probe/probe.ts';
import { createProcessor } from './processor.ts';
import { startPusher } from './push/start-pusher.ts';
import { redactedSteps } from './redacted-steps.ts';
import { createSsh } from './ssh/ssh.ts';

/** A worker: does the steps that jobs ask for. This file only wires. */
async function main(): Promise<void> {
  const { config, warnings } = configOrExit(() =>
    parseWorkerConfig(serviceConfigInput(process.argv.slice(2), process.env)),
  );
  const token = await internalToken(config.internalToken, false);
  const redact = createRedactor([...config.secrets, token]);
  const logger = createLogger({ level: config.logLevel, redact, base: { program: 'worker' } });
  for (const warning of warnings) logger.warn({ warning }, 'configuration');
  const faultPoint = faultPointFromEnvironment(process.env);
  const stopped = untilSignalled(logger);
  const closers = createClosers(logger);
  const clock = createSystemClock();
  const run = createRun();
  const folder = join(config.dataDir, 'worker');
  mkdirSync(folder, { recursive: true, mode: 0o700 });

  try {
    const redis = connectRedis({ address: redisAddress(config.redis), logger, name: 'varve-worker' });
    closers.add('redis', () => redis.close());
    await redis.ready(30_000);
    const shared = { redis, fleet: config.fleet };
    const log = createRedisDeploymentLog({ ...shared, clock, redact });
    closers.add('deployment log', () => log.close());

    const ssh = createSsh({
      keyFiles: config.identities,
      agentSocket: process.env['SSH_AUTH_SOCK'],
      knownHostsFile: config.knownHosts,
    });
    closers.add('ssh', () => ssh.close());
    const nix = createNix({
      run,
      settings: { config: config.nixSettings, home: join(folder, 'home'), environment: {} },
    });
    const localDaemon = createLocalDaemon({ nix });
    closers.add('nix daemon', () => localDaemon.close());
    const nixStore = createNixStore({ nix, daemon: localDaemon });
    const signingKey = await readSigningKey(config.push.signingKey);
    const pusher = await startPusher({
      ssh,
      store: nixStore,
      storeRoot: '',
      folder: join(folder, 'archives'),
      maxBytes: config.push.archivesMiB * 1024 ** 2,
      log: logger,
      signingKey,
    });
    closers.add('pusher', () => pusher.close());
    // Workers of several fleets may share a machine's store: each keeps roots of its own.
    const roots = createRoots({ folder: join(workerRootsFolder, digest(config.dataDir)) });
    const cache = await startCache({
      ...{ roots, store: nixStore, archives: pusher.archives, signingKey, logger },
      config: config.cache,
    });
    closers.add('cache', () => cache.close());
    const trees = createTreeStore({
      git: createGitProgram({ run }),
      fetchTree: createFetchTree({
        addresses: controllerAddresses({
          leader: async () => (await createRedisLease(shared).holder())?.name,
          configured: config.controllerUrl,
        }),
        token,
      }),
      folder: join(folder, 'trees'),
      keep: 50,
    });
    const { memoryMiB } = config.evaluation;
    const memoryLimit = memoryMiB === undefined ? undefined : memoryMiB * 1024 ** 2;
    const evaluation = createEvaluate({
      evaluator: createEvaluator({
        nix,
        trees,
        machine: () => {
          const now = machineNow(0.75 / config.concurrency.evaluate);
          return { ...now, availableBytes: Math.min(now.availableBytes, memoryLimit ?? Infinity) };
        },
        settings: {
          ...usualEvaluatorSettings,
          deadlineMs: config.evaluation.timeoutMs,
          // Who sets a limit means it, also where Nix reserves more than it uses.
          ...(memoryLimit === undefined ? {} : { leastBytesEach: 0 }),
        },
      }),
      roots,
      settings: { keepReleases: 50 },
    });
    const checks = createChecks({ clock, run, commands: config.commands });
    const guard = { path: guardStorePath(), bytes: guardBytes };
    const steps: Steps = {
      evaluate: evaluation.evaluate,
      deliver: createDeliver({
        store: nixStore,
        roots,
        builds: createBuilds({ nix, store: nixStore }),
        push: pusher.push,
        publish: cache.publish,
        guard: createLocalGuard({ store: nixStore, roots, guard, folder }),
        hostHas: createHostHas({ ssh, guard: guard.path }),
        evaluateAgain: (deployment, context) =>
          evaluation.evaluateHost(
            {
              tree: deployment.tree,
              folder: deployment.flake.folder,
              attribute: deployment.flake.attribute,
              host: deployment.host,
              hostAttribute: deployment.attribute,
            },
            context,
          ),
        closures: createRedisClosures(shared),
        settings: { keepToplevels: 5, forgetHostsMs: 90 * 86_400_000 },
      }),
      activate: createActivate({
        ssh,
        checks,
        clock,
        faultPoint,
        runNamedCommand: (name, { host, address, timeoutMs, signal }) =>
          askWorkerCommand(name, config.commands.get(name), {
            run,
            environment: { VARVE_HOST: host, VARVE_ADDRESS: address },
            timeoutMs,
            signal,
          }),
      }),
      probe: createProbe({ ssh, checks, clock }),
    };

    const queue = createBullQueue({
      ...shared,
      logger,
      lockMs: config.lostAfterMs,
      stalledEveryMs: config.lostAfterMs / 4,
    });
    // Running activations have their own deadlines; whatever else runs is taken over by another worker.
    closers.add('queue', () => queue.close(5_000));
    const processor = createProcessor({
      clock,
      queue,
      store: createRedisStore(shared),
      steps: redactedSteps(steps, redact),
      faultPoint,
      concurrency: config.concurrency,
      watchEveryMs: 1_000,
      report: (err, fields) => {
        if (!stopped.aborted) logger.error({ ...fields, err }, 'step failed');
      },
      contextFor: (deployment, signal): StepContext => ({
        signal,
        log(line) {
          if (deployment === undefined) logger.debug({ line }, 'step');
          else log.append(deployment, line);
        },
        progress(progress) {
          if (deployment !== undefined) log.progress(deployment, progress);
        },
      }),
    });
    await processor.start();
    logger.info({ version }, 'working');
    await new Promise<void>((resolve) => {
      stopped.addEventListener('abort', () => resolve(), { once: true });
      if (stopped.aborted) resolve();
    });
  } finally {
    await closers.close();
  }
}

async function readSigningKey(file: string | undefined): Promise<SigningKey | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new FleetError({
      code: 'CONFIG_INVALID',
      disposition: 'stalled',
      message: `the signing key ${file} cannot be read`,
      hint: '`varve keygen` makes one; the worker must be able to read it, and nobody else',
      cause,
    });
  });
  return parseSigningKey(text);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

await main();
