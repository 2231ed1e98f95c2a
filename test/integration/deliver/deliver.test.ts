import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Deployment } from '../../../shared/domain/deployment.ts';
import { type Disposition, type ErrorCode, FleetError } from '../../../shared/domain/errors.ts';
import { parseDeploymentId, parseDrvPath, parseHostName } from '../../../shared/domain/names.ts';
import type { Tree } from '../../../shared/domain/names.ts';
import type { DeliverOutcome, Steps } from '../../../shared/platform/ports/steps.ts';
import { guardBytes, guardStorePath } from '../../../worker/guard/guard-path.ts';
import { createBuilds } from '../../../worker/deliver/builds.ts';
import { createDeliver, type DeliverDeps } from '../../../worker/deliver/deliver.ts';
import { createLocalGuard } from '../../../worker/deliver/local-guard.ts';
import { createEvaluate, type Evaluation } from '../../../worker/evaluate/evaluate.ts';
import { createEvaluator, usualEvaluatorSettings } from '../../../worker/evaluate/evaluator.ts';
import { machineNow } from '../../../worker/evaluate/machine.ts';
import { createTreeStore } from '../../../worker/evaluate/tree-store.ts';
import type { PushRequest } from '../../../worker/push/push.ts';
import { startPusher, type StartedPusher } from '../../../worker/push/start-pusher.ts';
import { createSsh, type Ssh } from '../../../worker/ssh/ssh.ts';
import { aDeployment } from '../../support/builders.ts';
import { eventually } from '../../support/eventually.ts';
import { startLoopbackHost, type LoopbackHost } from '../../support/loopback-host.ts';
import { addBusybox, createWorkshop, recordingContext, type Workshop } from '../../support/nix-workshop.ts';

const flake = `{
  outputs = { self }: let
    bb = builtins.path { path = ./bb; name = "busybox-static"; };
    make = name: script: deps: derivation {
      inherit name deps;
      system = "x86_64-linux";
      builder = "\${bb}/bin/busybox";
      args = [ "sh" "-ec" script ];
      busybox = "\${bb}/bin/busybox";
    };
    shared = make "shared" (import ./shared.nix) [ ];
    system = name: {
      config.system.build.toplevel = make "nixos-system-\${name}"
        "$busybox mkdir $out; $busybox echo $deps > $out/deps; \${import ./hosts/\${name}.nix}" [ shared ];
    };
  in {
    nixosConfigurations = builtins.mapAttrs (name: _: system name) { web1 = 1; web2 = 2; db = 3; };
  };
}
`;

let workshop: Workshop;
let host: LoopbackHost;
let pusher: StartedPusher;
let pool: Ssh;
let evaluation: Evaluation;
let deps: DeliverDeps;
let deliver: Steps['deliver'];
let counter = 0;
let has = { toplevel: false, guard: false };

beforeAll(async () => {
  workshop = await createWorkshop();
  await addBusybox(workshop);
  host = await startLoopbackHost({ folder: join(workshop.folder, 'host') });
  const { nix, store, roots, git, folder } = workshop;
  pool = createSsh({ keyFiles: [host.identityFile] });
  pusher = await startPusher({
    ssh: pool,
    store,
    storeRoot: workshop.storeRoot,
    folder: join(folder, 'archives'),
    maxBytes: 1024 ** 3,
  });
  const trees = createTreeStore({
    git,
    folder: join(folder, 'trees'),
    keep: 5,
    fetchTree: (tree) => workshop.pack(tree),
  });
  evaluation = createEvaluate({
    evaluator: createEvaluator({
      nix,
      trees,
      machine: () => machineNow(0.75),
      settings: usualEvaluatorSettings,
    }),
    roots,
    settings: { keepReleases: 20 },
  });
  deps = {
    closures: { put: async () => {} },
    store,
    roots,
    builds: createBuilds({ nix, store }),
    push: pusher.push,
    publish: undefined,
    guard: createLocalGuard({
      store,
      roots,
      guard: { path: guardStorePath(), bytes: guardBytes },
      folder: join(folder, 'guard'),
    }),
    hostHas: async () => has,
    evaluateAgain: ({ tree, host: name, attribute }, context) =>
      evaluation.evaluateHost(
        { tree, folder: '.', attribute: 'nixosConfigurations', host: name, hostAttribute: attribute },
        context,
      ),
    settings: { keepToplevels: 3, forgetHostsMs: 86_400_000 },
  };
  deliver = createDeliver(deps);
});

afterAll(async () => {
  pool?.close();
  await pusher?.close();
  await host?.stop();
  await workshop?.close();
});

async function released(files: Record<string, string>): Promise<(name: string) => Deployment> {
  const tree = await workshop.commit({
    'flake.nix': flake,
    'shared.nix': "''$busybox echo shared > $out''\n",
    'hosts/web1.nix': '""\n',
    'hosts/web2.nix': '""\n',
    'hosts/db.nix': '""\n',
    ...files,
  });
  const outcome = await evaluation.evaluate(request(tree), recordingContext());
  if (outcome.kind !== 'complete') throw new Error(JSON.stringify(outcome.failure));
  return (name) => {
    const found = outcome.release.hosts.get(parseHostName(name));
    if (found === undefined) throw new Error(`no host ${name}`);
    return aDeployment({
      id: nextId(),
      host: parseHostName(name),
      attribute: name,
      tree,
      ...found,
      knownBad: [],
      retained: [],
      known: [host.connection],
      next: host.connection,
      timeouts: {
        buildMs: 60_000,
        pushMs: 60_000,
        activationMs: 1_000,
        confirmMs: 1_000,
        settleMs: 0,
      },
    });
  };
}

function request(tree: Tree) {
  return { key: `${tree}.k`, tree, folder: '.', attribute: 'nixosConfigurations', hosts: 'all' } as const;
}

/** A build script that leaves its process id as a line of a file, each time that it runs. */
function counting(file: string, script: string): string {
  return `"$busybox echo $$ >> ${file}; ${script}"\n`;
}

async function lineCount(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').length - 1;
}

/** Whether any process has this argument. */
async function isRunning(argument: string): Promise<boolean> {
  const ids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  return lines.some((line) => line.split('\0').includes(argument));
}

function nextId() {
  counter += 1;
  return parseDeploymentId(`d${String(counter).padStart(6, '0')}`);
}

function never(): never {
  throw new Error('this cannot be');
}

function delivered(outcome: DeliverOutcome) {
  if (outcome.kind !== 'delivered') throw new Error(JSON.stringify(outcome.failure, undefined, 2));
  return outcome.delivery;
}

function failed(outcome: DeliverOutcome) {
  if (outcome.kind !== 'failed') throw new Error('it was delivered');
  return outcome.failure;
}

describe('delivering', () => {
  test('a new toplevel is built, pushed with the guard, and rooted on the host', async () => {
    const web1 = (await released({}))('web1');
    const context = recordingContext();
    const delivery = delivered(await deliver(web1, context));
    expect(delivery).toMatchObject({ builds: 2 });
    // The toplevel, the busybox is not referenced, what is shared, and the guard.
    expect(delivery.pushedPaths).toBe(3);
    expect(delivery.pushedBytes).toBeGreaterThan(300);
    const roots = `/nix/var/nix/gcroots/varve/${web1.id}`;
    expect(await host.inside('readlink', `${roots}/toplevel`)).toBe(web1.toplevel);
    expect(await host.inside('cat', `${roots}/guard`)).toBe(Buffer.from(guardBytes).toString('utf8').trim());
    await host.inside('nix-store', '--gc');
    expect(await host.inside('nix-store', '--check-validity', web1.toplevel)).toBe('');
    expect(context.lines.join('\n')).toContain('building shared');

    const again = delivered(await deliver(web1, recordingContext()));
    expect(again).toMatchObject({ builds: 0, pushedPaths: 0, pushedBytes: 0 });
  });

  test('what several hosts share is built once, and each build is counted once', async () => {
    const file = join(workshop.outside, 'shared-builds');
    const of = await released({ 'shared.nix': counting(file, '$busybox echo again > $out') });
    const outcomes = await Promise.all(
      ['web1', 'web2', 'db'].map(async (name) => delivered(await deliver(of(name), recordingContext()))),
    );
    expect(await lineCount(file)).toBe(1);
    expect(outcomes.reduce((sum, { builds }) => sum + builds, 0)).toBe(4);
  });

  test('one that comes while what it shares is being built waits for it', async () => {
    const file = join(workshop.outside, 'slow-builds');
    const gate = join(workshop.outside, 'gate');
    const script = `until [ -e ${gate} ]; do $busybox sleep 0.05; done; $busybox echo slow > $out`;
    const of = await released({ 'shared.nix': counting(file, script) });
    const first = deliver(of('web1'), recordingContext());
    await eventually(async () => (await lineCount(file)) === 1, {
      what: 'the build to start',
      deadlineMs: 20_000,
    });
    const context = recordingContext();
    const second = deliver(of('web2'), context);
    await eventually(() => context.lines.some((line) => line.startsWith('waiting for a build')), {
      what: 'the second to wait',
      deadlineMs: 20_000,
    });
    await writeFile(gate, '');
    expect(delivered(await first).builds).toBe(2);
    expect(delivered(await second).builds).toBe(1);
    expect(await lineCount(file)).toBe(1);
  });

  test('a host that has it all costs no process', async () => {
    const web1 = (await released({}))('web1');
    const before = workshop.started.length;
    has = { toplevel: true, guard: true };
    try {
      const delivery = delivered(await deliver(web1, recordingContext()));
      expect(delivery).toMatchObject({ builds: 0, pushedPaths: 0, pushedBytes: 0 });
    } finally {
      has = { toplevel: false, guard: false };
    }
    expect(workshop.started.length).toBe(before);
  });

  test('goes over the next connection where the known one leads nowhere', async () => {
    const web1 = (await released({}))('web1');
    const nowhere = { ...host.connection, port: 9 };
    const moved = { ...web1, known: [nowhere], next: host.connection };
    expect(delivered(await deliver(moved, recordingContext())).builds).toBe(0);
    const lost = { ...web1, known: [nowhere], next: nowhere };
    expect(failed(await deliver(lost, recordingContext()))).toMatchObject({
      code: 'HOST_UNREACHABLE',
      disposition: 'transient',
    });
  });
});

describe('a build that fails', () => {
  test('stops its own host only, names the derivation, and shows the end of its log', async () => {
    const of = await released({
      'hosts/web2.nix': '"$busybox echo it is broken; exit 3"\n',
    });
    const [web1, web2] = await Promise.all([
      deliver(of('web1'), recordingContext()),
      deliver(of('web2'), recordingContext()),
    ]);
    delivered(web1);
    const failure = failed(web2);
    expect(failure).toMatchObject({ code: 'BUILD_FAILED', disposition: 'stalled' });
    expect(failure.details?.['derivation']).toMatch(/-nixos-system-web2\.drv$/);
    expect(failure.details?.['log']).toContain('it is broken');
    expect(failure.message).toContain('exit code 3');
  });

  test('below several hosts is tried once, and each of them names it', async () => {
    const file = join(workshop.outside, 'failing-builds');
    const of = await released({
      'shared.nix': counting(file, '$busybox echo no luck; exit 1'),
    });
    const outcomes = await Promise.all(
      ['web1', 'web2', 'db'].map((name) => deliver(of(name), recordingContext())),
    );
    for (const outcome of outcomes) {
      const failure = failed(outcome);
      expect(failure.code).toBe('BUILD_FAILED');
      expect(failure.details?.['derivation']).toMatch(/-shared\.drv$/);
      expect(failure.details?.['log']).toContain('no luck');
    }
    expect(await lineCount(file)).toBe(1);

    const bad = parseDrvPath(failed(outcomes[0] ?? never()).details?.['derivation'] ?? '');
    const again = failed(await deliver({ ...of('web1'), knownBad: [bad] }, recordingContext()));
    expect(again).toMatchObject({ code: 'BUILD_FAILED', details: { derivation: bad } });
    expect(await lineCount(file)).toBe(1);
  });

  test('is not tried again by one that waited for it', async () => {
    const file = join(workshop.outside, 'failing-slowly');
    const gate = join(workshop.outside, 'gate-to-failure');
    const script = `until [ -e ${gate} ]; do $busybox sleep 0.05; done; exit 1`;
    const of = await released({ 'shared.nix': counting(file, script) });
    const first = deliver(of('web1'), recordingContext());
    await eventually(async () => (await lineCount(file)) === 1, {
      what: 'the build to start',
      deadlineMs: 20_000,
    });
    const context = recordingContext();
    const second = deliver(of('web2'), context);
    await eventually(() => context.lines.some((line) => line.startsWith('waiting for a build')), {
      what: 'the second to wait',
      deadlineMs: 20_000,
    });
    await writeFile(gate, '');
    expect(failed(await first).code).toBe('BUILD_FAILED');
    expect(failed(await second).code).toBe('BUILD_FAILED');
    expect(await lineCount(file)).toBe(1);
  });

  test('by taking too long is tried again', async () => {
    const of = await released({ 'shared.nix': '"$busybox sleep 100; exit 1"\n' });
    const web1 = of('web1');
    const timeouts = { ...web1.timeouts, buildMs: 700 };
    const failure = failed(await deliver({ ...web1, timeouts }, recordingContext()));
    expect(failure).toMatchObject({ code: 'BUILD_LIMIT', disposition: 'transient' });
  });

  test('for want of room on the disk is tried again', async () => {
    const of = await released({
      'shared.nix': '"$busybox echo write error: No space left on device; exit 1"\n',
    });
    expect(failed(await deliver(of('web1'), recordingContext()))).toMatchObject({
      code: 'DISK_FULL',
      disposition: 'transient',
    });
  });

  test('is given up with its processes when the delivery is cancelled', async () => {
    const file = join(workshop.outside, 'cancelled-builds');
    const of = await released({ 'shared.nix': counting(file, '$busybox sleep 1000.25') });
    const stop = new AbortController();
    const running = deliver(of('web1'), recordingContext(stop.signal));
    await eventually(async () => (await lineCount(file)) === 1, {
      what: 'the build to start',
      deadlineMs: 20_000,
    });
    stop.abort();
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    await eventually(async () => !(await isRunning('1000.25')), {
      what: 'the builder to be gone',
      deadlineMs: 10_000,
    });
  });
});

describe('what was collected', () => {
  const storeNix = (...args: readonly string[]) =>
    workshop.nix.run(['nix-store', ...args], { signal: undefined, deadlineMs: 60_000 });

  test('stays while it is rooted', async () => {
    const web1 = (await released({ 'hosts/web1.nix': '"$busybox echo rooted > $out/x"\n' }))('web1');
    delivered(await deliver(web1, recordingContext()));
    expect((await storeNix('--gc')).code).toBe(0);
    expect((await storeNix('--check-validity', web1.toplevel)).code).toBe(0);
    expect((await storeNix('--check-validity', web1.drvPath ?? '')).code).toBe(0);
  });

  test('is built again from its derivation', async () => {
    const web1 = (await released({ 'hosts/web1.nix': '"$busybox echo collected > $out/x"\n' }))('web1');
    delivered(await deliver(web1, recordingContext()));
    await rm(join(workshop.rootsFolder, 'hosts'), { recursive: true });
    await storeNix('--delete', web1.toplevel);
    expect((await storeNix('--check-validity', web1.toplevel)).code).not.toBe(0);
    const again = delivered(await deliver({ ...web1, id: nextId() }, recordingContext()));
    expect(again).toMatchObject({ builds: 1, pushedPaths: 0, pushedBytes: 0 });
  });

  test('is evaluated again when its derivation is gone too', async () => {
    const web1 = (await released({ 'hosts/web1.nix': '"$busybox echo twice > $out/x"\n' }))('web1');
    delivered(await deliver(web1, recordingContext()));
    await rm(workshop.rootsFolder, { recursive: true });
    expect((await storeNix('--gc')).code).toBe(0);
    expect((await storeNix('--check-validity', web1.drvPath ?? '')).code).not.toBe(0);
    const context = recordingContext();
    const again = delivered(await deliver({ ...web1, id: nextId() }, context));
    expect(again.builds).toBe(2);
    expect(context.lines).toContain('the derivation is not here any more: evaluating again');
  });

  test('and evaluates to something else now is refused', async () => {
    const before = (await released({ 'hosts/web1.nix': '"$busybox echo before > $out/x"\n' }))('web1');
    const after = (await released({ 'hosts/web1.nix': '"$busybox echo after > $out/x"\n' }))('web1');
    await rm(workshop.rootsFolder, { recursive: true });
    expect((await storeNix('--gc')).code).toBe(0);
    const failure = failed(await deliver({ ...before, tree: after.tree }, recordingContext()));
    expect(failure).toMatchObject({ code: 'RELEASE_MISMATCH', disposition: 'stalled' });
  });
});

describe('a host that is to fetch what its own substituters have', () => {
  const requestsOf = async (deployment: Deployment, fail: FleetError | undefined) => {
    const requests: PushRequest[] = [];
    const context = recordingContext();
    const step = createDeliver({
      ...deps,
      push: {
        push: async (push) => {
          requests.push(push);
          if (fail !== undefined && push.substitute === true) throw fail;
          return { paths: 0, bytes: 0, closure: [] };
        },
      },
    });
    return {
      outcome: await step(deployment, context),
      asked: requests.map(({ substitute }) => substitute),
      context,
    };
  };
  const failure = (code: ErrorCode, disposition: Disposition = 'transient') =>
    new FleetError({ code, disposition, message: 'it said nothing' });
  const substitute: Partial<Deployment> = { transport: { by: 'push', substitute: true } };

  test('is asked to do so', async () => {
    const deployment = { ...(await released({}))('web1'), ...substitute };
    expect((await requestsOf(deployment, undefined)).asked).toEqual([true]);
  });

  test.each<ErrorCode>(['HOST_UNREACHABLE', 'PUSH_FAILED'])(
    'is sent all of it where asking came to nothing (%s): its substituters may hold it up',
    async (code) => {
      const deployment = { ...(await released({}))('web1'), ...substitute };
      const { asked, outcome, context } = await requestsOf(deployment, failure(code));
      expect(asked).toEqual([true, undefined]);
      expect(outcome.kind).toBe('delivered');
      expect(context.lines.join('\n')).toMatch(/it said nothing; once more, without its substituters/);
    },
  );

  test.each([failure('DISK_FULL'), failure('PUSH_FAILED', 'stalled')])(
    'is not pushed to again where it is something else that fails: $code',
    async (fail) => {
      const deployment = { ...(await released({}))('web1'), ...substitute };
      const { asked, outcome } = await requestsOf(deployment, fail);
      expect(asked).toEqual([true]);
      expect(outcome).toMatchObject({ kind: 'failed', failure: { code: fail.code } });
    },
  );
});

describe('a host that is to fetch what workers publish', () => {
  const viaCache: Partial<Deployment> = { transport: { by: 'cache', substitute: true } };
  const run = async (publish: DeliverDeps['publish'], signal: AbortSignal = new AbortController().signal) => {
    const deployment = { ...(await released({}))('web1'), ...viaCache };
    const order: string[] = [];
    const context = recordingContext(signal);
    const step = createDeliver({
      ...deps,
      publish:
        publish &&
        (async (paths, inner) => {
          order.push(`publish ${paths.join(' ')}`);
          await publish(paths, inner);
        }),
      push: {
        push: async ({ paths, substitute: asks }) => {
          order.push(`push ${[...paths.values()].join(' ')} ${asks === true ? 'after asking' : ''}`);
          return { paths: 0, bytes: 0, closure: [] };
        },
      },
    });
    const outcome = step(deployment, context);
    return { outcome, order, context, all: `${deployment.toplevel} ${deps.guard.path}` };
  };

  test('is asked when all is there, guard included', async () => {
    const { outcome, order, all } = await run(async () => {});
    expect((await outcome).kind).toBe('delivered');
    expect(order).toEqual([`publish ${all}`, `push ${all} after asking`]);
  });

  test.each([
    ['cannot be published', 'the cache is full', () => Promise.reject(failed('the cache is full'))],
    ['has nowhere to go', 'no cache to publish to', undefined],
  ])('is sent what %s, and the log says why', async (_, why, publish) => {
    const { outcome, order, context, all } = await run(publish);
    expect((await outcome).kind).toBe('delivered');
    expect(order.at(-1)).toBe(`push ${all} after asking`);
    expect(context.lines.join('\n')).toContain(why);
  });

  test('is sent nothing after it was given up', async () => {
    const leave = new AbortController();
    const { outcome, order } = await run(async () => {
      leave.abort();
      throw failed('given up', 'CANCELLED');
    }, leave.signal);
    await expect(outcome).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(order).toHaveLength(1);
  });

  const failed = (message: string, code: ErrorCode = 'PUSH_FAILED') =>
    new FleetError({ code, disposition: 'transient', message });
});
