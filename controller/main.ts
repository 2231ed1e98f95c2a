#!/usr/bin/env node
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ownUrl, parseControllerConfig, type RemoteAccess } from '../shared/contracts/service-config.ts';
import { createRun } from '../shared/platform/exec.ts';
import { faultPointFromEnvironment } from '../shared/platform/fault-points.ts';
import { createGitProgram } from '../shared/platform/git-program.ts';
import { createLogger } from '../shared/platform/logger.ts';
import { createRandomIds } from '../shared/platform/random-ids.ts';
import { createRedactor } from '../shared/platform/redact.ts';
import { connectRedis } from '../shared/platform/redis/client.ts';
import { createRedisClosures } from '../shared/platform/redis/closures.ts';
import { createRedisDeploymentLog } from '../shared/platform/redis/deployment-log.ts';
import { createRedisHints } from '../shared/platform/redis/hints.ts';
import { createRedisLease } from '../shared/platform/redis/lease.ts';
import { createBullQueue } from '../shared/platform/redis/queue.ts';
import { createRedisStore } from '../shared/platform/redis/store.ts';
import {
  configOrExit,
  createClosers,
  internalToken,
  lastingId,
  redisAddress,
  serviceConfigInput,
  untilSignalled,
} from '../shared/platform/service.ts';
import { createSystemClock } from '../shared/platform/system-clock.ts';
import { version } from '../shared/platform/version.ts';
import { createBackend } from './backend.ts';
import { createCredentialProvider } from './credentials.ts';
import { createActivities, createLogReader } from './deployment-logs.ts';
import { createTeller } from './happenings.ts';
import { accessWith, type GitAccess } from './git-access.ts';
import { createEventHub } from './http/event-hub.ts';
import { createHttpServer } from './http/server.ts';
import { createGitLedger } from './ledger/git-ledger.ts';
import { createEventLog } from './log-events.ts';
import { createController } from './reconcile/leader.ts';
import { notLeading } from './reconcile/reconciler.ts';
import { createSource } from './source/create-source.ts';
import { sshEnvironment, type SshAccess } from './source/ssh-environment.ts';

/** The controller: watches the repository, decides, and answers. This file only wires. */
async function main(): Promise<void> {
  const { config, warnings } = configOrExit(() =>
    parseControllerConfig(serviceConfigInput(process.argv.slice(2), process.env)),
  );
  const redact = createRedactor(config.secrets);
  const logger = createLogger({ level: config.logLevel, redact, base: { program: 'controller' } });
  for (const warning of warnings) logger.warn({ warning }, 'configuration');
  const faultPoint = faultPointFromEnvironment(process.env);
  const stopped = untilSignalled(logger);
  const closers = createClosers(logger);
  const clock = createSystemClock();
  const ids = createRandomIds();
  const git = createGitProgram({ run: createRun() });
  const token = await internalToken(config.internalToken, true);
  redact.learn(token);
  const name =
    config.publicUrl ?? (config.listen.port === 0 ? `${hostname()}-${process.pid}` : ownUrl(config.listen));

  try {
    const redis = connectRedis({ address: redisAddress(config.redis), logger, name: 'varve-controller' });
    closers.add('redis', () => redis.close());
    await redis.ready(30_000);
    const shared = { redis, fleet: config.fleet };
    const queue = createBullQueue({ ...shared, logger });
    closers.add('queue', () => queue.close(1_000));
    const store = createRedisStore(shared);
    const lease = createRedisLease(shared);
    const log = createRedisDeploymentLog({ ...shared, clock, redact });
    closers.add('deployment log', () => log.close());

    const { repository } = config;
    const { source, reverter } = createSource(
      {
        url: repository.url,
        ref: repository.ref,
        adapter: 'auto',
        dataFolder: join(config.dataDir, 'controller'),
        ssh: sshAccess(repository),
      },
      { git, logger, credential: createCredentialProvider(repository, { redact, logger }) },
    );
    closers.add('source', () => source.close());
    const { ledgerRemote } = config;
    const ledger = createGitLedger(
      { git, clock, log: logger },
      {
        dir: join(config.dataDir, 'ledger.git'),
        ...(ledgerRemote === undefined
          ? {}
          : { remote: { url: ledgerRemote.url, access: ledgerAccess(ledgerRemote, { redact, logger }) } }),
      },
    );
    closers.add('ledger', () => ledger.close());

    const logEvent = createEventLog(logger);
    const events = createEventHub({ now: clock.now, life: ids.unique().slice(0, 8) });
    const activities = createActivities({ log, publish: events.publish });
    closers.add('activities', () => activities.close());
    const tell = createTeller({ publish: events.publish, reign: () => controller.reign() });
    const controller = createController({
      clock,
      ids,
      queue,
      store,
      lease,
      ledger,
      source,
      faultPoint,
      jitter: Math.random,
      settings: {
        name,
        id: await lastingId(join(config.dataDir, 'controller-id')),
        leaseMs: config.leaseTtlMs,
        pollEveryMs: repository.pollIntervalMs,
        onRewrite: repository.onRewrite,
        patience: {
          probeEveryMs: config.probeIntervalMs,
          backOffMs: 5_000,
          longestBackOffMs: 600_000,
          lookAgainMs: 1_000,
        },
      },
      onEvent(event) {
        logEvent(event);
        tell(event);
        if (event.kind === 'passed') activities.follow(event.result.snapshot.deployments);
      },
    });
    const hints = createRedisHints(shared);
    closers.add('hints', await hints.listen(() => controller.look()));
    const backend = createBackend({
      controller,
      clock,
      lease,
      source,
      reverter,
      closures: createRedisClosures(shared),
      hints,
      activity: activities.of,
      version,
      name,
      repository: redact(repository.url),
      ref: repository.ref,
    });
    const http = await createHttpServer({
      backend,
      logs: createLogReader(log, (id) => {
        const reign = controller.reign();
        if (reign === undefined) throw notLeading(undefined);
        return reign.memory.outcomeOf.has(id);
      }),
      events,
      logger,
      now: clock.now,
      version,
      settings: {
        tokens: config.api.tokens,
        loopbackWithoutToken: config.api.loopbackWithoutToken,
        internalToken: token,
        hostNames: config.hostNames,
        webhooks: config.webhooks,
      },
    });
    closers.add('http', () => http.close());
    const url = await http.listen(config.listen);
    logger.info({ url, version }, 'listening');
    await controller.run(stopped);
  } finally {
    await closers.close();
  }
}

function sshAccess({ ssh }: RemoteAccess): SshAccess {
  return {
    ...(ssh.identity === undefined ? {} : { identityFile: ssh.identity }),
    ...(ssh.knownHosts === undefined ? {} : { knownHostsFile: ssh.knownHosts }),
  };
}

/** How the ledger's remote is reached. */
function ledgerAccess(
  remote: RemoteAccess,
  deps: Parameters<typeof createCredentialProvider>[1],
): () => Promise<GitAccess> {
  const overSsh = { settings: [], env: sshEnvironment(sshAccess(remote)) };
  const credential = createCredentialProvider(remote, deps);
  return async () => {
    const known = await credential();
    return known === undefined ? overSsh : accessWith(remote.url, known);
  };
}

await main();
