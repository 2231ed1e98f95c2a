import { join } from 'node:path';

import type { Deployment } from '../../shared/domain/deployment.ts';
import { type DeploymentId, parseDeploymentId, parseHostName } from '../../shared/domain/names.ts';
import type { Tree } from '../../shared/domain/names.ts';
import type { DeliverOutcome, Steps } from '../../shared/platform/ports/steps.ts';
import { guardBytes, guardStorePath } from '../../worker/guard/guard-path.ts';
import { createBuilds } from '../../worker/deliver/builds.ts';
import { createDeliver, type DeliverDeps } from '../../worker/deliver/deliver.ts';
import { createLocalGuard } from '../../worker/deliver/local-guard.ts';
import { createEvaluate, type Evaluation } from '../../worker/evaluate/evaluate.ts';
import { createEvaluator, usualEvaluatorSettings } from '../../worker/evaluate/evaluator.ts';
import { machineNow } from '../../worker/evaluate/machine.ts';
import { createTreeStore } from '../../worker/evaluate/tree-store.ts';
import { startPusher } from '../../worker/push/start-pusher.ts';
import { createSsh } from '../../worker/ssh/ssh.ts';
import { aDeployment } from './builders.ts';
import { startLoopbackHost, type LoopbackHost } from './loopback-host.ts';
import { addBusybox, createWorkshop, recordingContext, type Workshop } from './nix-workshop.ts';

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

/** What is delivered for real: built by the Nix of this machine, and pushed to a host that is an sshd of its own. */
export interface DeliverStage {
  readonly workshop: Workshop;
  readonly host: LoopbackHost;
  readonly evaluation: Evaluation;
  readonly deps: DeliverDeps;
  readonly deliver: Steps['deliver'];
  /** What the host is taken to have. */
  has: { toplevel: boolean; guard: boolean };
  /** Commits files over those that every test begins with, evaluates them, and gives the deployment of each host. */
  released(files: Record<string, string>): Promise<(name: string) => Deployment>;
  nextId(): DeploymentId;
  close(): Promise<void>;
}

export async function startDeliverStage(): Promise<DeliverStage> {
  const workshop = await createWorkshop();
  await addBusybox(workshop);
  const host = await startLoopbackHost({ folder: join(workshop.folder, 'host') });
  const { nix, store, roots, git, folder } = workshop;
  const pool = createSsh({ keyFiles: [host.identityFile] });
  const pusher = await startPusher({
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
  const evaluation = createEvaluate({
    evaluator: createEvaluator({
      nix,
      trees,
      machine: () => machineNow(0.75),
      settings: usualEvaluatorSettings,
    }),
    roots,
    settings: { keepReleases: 20 },
  });
  const deps: DeliverDeps = {
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
    hostHas: async () => stage.has,
    evaluateAgain: ({ tree, host: name, attribute }, context) =>
      evaluation.evaluateHost(
        { tree, folder: '.', attribute: 'nixosConfigurations', host: name, hostAttribute: attribute },
        context,
      ),
    settings: { keepToplevels: 3, forgetHostsMs: 86_400_000 },
  };
  let counter = 0;
  const nextId = (): DeploymentId => {
    counter += 1;
    return parseDeploymentId(`d${String(counter).padStart(6, '0')}`);
  };
  const released = async (files: Record<string, string>): Promise<(name: string) => Deployment> => {
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
  };
  const stage: DeliverStage = {
    workshop,
    host,
    evaluation,
    deps,
    deliver: createDeliver(deps),
    has: { toplevel: false, guard: false },
    released,
    nextId,
    async close() {
      pool.close();
      await pusher.close();
      await host.stop();
      await workshop.close();
    },
  };
  return stage;
}

function request(tree: Tree) {
  return { key: `${tree}.k`, tree, folder: '.', attribute: 'nixosConfigurations', hosts: 'all' } as const;
}

/** Of a delivery that has to have succeeded. */
export function delivered(outcome: DeliverOutcome) {
  if (outcome.kind !== 'delivered') throw new Error(JSON.stringify(outcome.failure, undefined, 2));
  return outcome.delivery;
}

/** Of one that has to have failed. */
export function failed(outcome: DeliverOutcome) {
  if (outcome.kind !== 'failed') throw new Error('it was delivered');
  return outcome.failure;
}
