import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Deployment } from '../../../shared/domain/deployment.ts';
import { parseDeploymentId, parseHostName, parseStorePath } from '../../../shared/domain/names.ts';
import type { Tree } from '../../../shared/domain/names.ts';
import type { DeliverOutcome, Steps } from '../../../shared/platform/ports/steps.ts';
import { createBuilds } from '../../../worker/deliver/builds.ts';
import { createDeliver } from '../../../worker/deliver/deliver.ts';
import { createLocalGuard } from '../../../worker/deliver/guard-path.ts';
import { createOpenSsh, type OpenSsh } from '../../../worker/deliver/open-ssh.ts';
import { createNixCopyPush } from '../../../worker/deliver/push-nix-copy.ts';
import { createEvaluate, type Evaluation } from '../../../worker/evaluate/evaluate.ts';
import { createEvaluator, usualEvaluatorSettings } from '../../../worker/evaluate/evaluator.ts';
import { machineNow } from '../../../worker/evaluate/machine.ts';
import { createTreeStore } from '../../../worker/evaluate/tree-store.ts';
import { createNixStore } from '../../../worker/nix/store.ts';
import { aDeployment } from '../../support/builders.ts';
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
let ssh: OpenSsh;
let evaluation: Evaluation;
let deliver: Steps['deliver'];
let counter = 0;
let has = { toplevel: false, guard: false };

beforeAll(async () => {
  workshop = await createWorkshop();
  await addBusybox(workshop);
  host = await startLoopbackHost({ folder: join(workshop.folder, 'host') });
  const { nix, roots, run, git, folder } = workshop;
  const store = createNixStore({ nix });
  ssh = createOpenSsh({
    run,
    folder: join(folder, 'ssh'),
    settings: {
      identityFiles: [host.identityFile],
      knownHostsFile: undefined,
      connectTimeoutMs: 5_000,
      persistMs: 20_000,
    },
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
  const bytes = Buffer.from('#!/bin/sh\necho guard\n');
  await mkdir(join(folder, 'x'));
  deliver = createDeliver({
    store,
    roots,
    builds: createBuilds({ nix, store }),
    push: createNixCopyPush({ nix, store, exec: ssh.exec, configuration: ssh.configuration }),
    guard: createLocalGuard({
      store,
      roots,
      guard: { path: await guardPath(bytes), bytes },
      folder: join(folder, 'guard'),
    }),
    hostHas: async () => has,
    evaluateAgain: ({ tree, host: name, attribute }, context) =>
      evaluation.evaluateHost(
        { tree, folder: '.', attribute: 'nixosConfigurations', host: name, hostAttribute: attribute },
        context,
      ),
    settings: { keepToplevels: 3 },
  });
});

afterAll(async () => {
  await ssh?.close();
  await host?.stop();
  await workshop?.close();
});

/** What Nix itself says the path of the guard is. */
async function guardPath(bytes: Buffer) {
  const { writeFile } = await import('node:fs/promises');
  const file = join(workshop.folder, 'varve-guard');
  await writeFile(file, bytes);
  return createNixStore({ nix: workshop.nix }).add(file, { signal: undefined });
}

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
    counter += 1;
    return aDeployment({
      id: parseDeploymentId(`d00000${counter}`),
      host: parseHostName(name),
      attribute: name,
      tree,
      ...found,
      knownBad: [],
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
    expect(await host.inside('cat', `${roots}/guard`)).toContain('echo guard');
    await host.inside('nix-store', '--gc');
    expect(await host.inside('nix-store', '--check-validity', web1.toplevel)).toBe('');
    expect(context.lines.join('\n')).toContain('building shared');

    const again = delivered(await deliver(web1, recordingContext()));
    expect(again).toMatchObject({ builds: 0, pushedPaths: 0, pushedBytes: 0 });
  });
});
void parseStorePath;
void failed;
