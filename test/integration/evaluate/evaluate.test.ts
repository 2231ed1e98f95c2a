import { readFile, readlink, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { parseHostName, parseTree, type Tree } from '../../../shared/domain/names.ts';
import type { EvaluationOutcome, EvaluationRequest, Release } from '../../../shared/domain/observation.ts';
import { createEvaluate, type Evaluation } from '../../../worker/evaluate/evaluate.ts';
import {
  createEvaluator,
  usualEvaluatorSettings,
  type EvaluatorSettings,
} from '../../../worker/evaluate/evaluator.ts';
import { machineNow } from '../../../worker/evaluate/machine.ts';
import { createTreeStore } from '../../../worker/evaluate/tree-store.ts';
import {
  addBusybox,
  createWorkshop,
  recordingContext,
  type Files,
  type Workshop,
} from '../../support/nix-workshop.ts';

const flake = `{
  outputs = { self }: let
    bb = builtins.path { path = ./bb; name = "busybox-static"; };
    system = name: {
      config.system.build.toplevel = derivation {
        name = "nixos-system-\${name}";
        system = "x86_64-linux";
        builder = "\${bb}/bin/busybox";
        args = [ "sh" "-c" "echo $text > $out" ];
        text = "\${name} \${import ./hosts/\${name}.nix} \${self.rev} \${toString self.lastModified}";
      };
    };
  in {
    nixosConfigurations = builtins.listToAttrs (map (file: rec {
      name = builtins.head (builtins.match "(.*)\\\\.nix" file);
      value = system name;
    }) (builtins.attrNames (builtins.readDir ./hosts)));
  };
}
`;

const base: Files = {
  'flake.nix': flake,
  'hosts/web1.nix': '"one"\n',
  'hosts/web2.nix': '"two"\n',
  'hosts/db.nix': '"three"\n',
  'README.md': 'first\n',
};

let workshop: Workshop;
let fetched: Tree[] = [];

beforeAll(async () => {
  workshop = await createWorkshop();
  await addBusybox(workshop);
});

afterAll(() => workshop.close());

function evaluation(settings: Partial<EvaluatorSettings> = {}, availableBytes?: number): Evaluation {
  fetched = [];
  const trees = createTreeStore({
    git: workshop.git,
    folder: join(workshop.folder, 'trees'),
    keep: 3,
    fetchTree: (tree) => {
      fetched.push(tree);
      return workshop.pack(tree);
    },
  });
  return createEvaluate({
    evaluator: createEvaluator({
      nix: workshop.nix,
      trees,
      machine: () => ({ ...machineNow(0.75), ...(availableBytes === undefined ? {} : { availableBytes }) }),
      settings: { ...usualEvaluatorSettings, ...settings },
    }),
    roots: workshop.roots,
    settings: { keepReleases: 20 },
  });
}

function asking(tree: Tree, hosts: EvaluationRequest['hosts'] = 'all', folder = '.'): EvaluationRequest {
  return { key: `${tree}.k`, tree, folder, attribute: 'nixosConfigurations', hosts };
}

function named(...names: string[]): EvaluationRequest['hosts'] {
  return new Map(names.map((name) => [parseHostName(name), name]));
}

function complete(outcome: EvaluationOutcome): Release {
  if (outcome.kind !== 'complete') throw new Error(JSON.stringify(outcome.failure));
  return outcome.release;
}

function failed(outcome: EvaluationOutcome) {
  if (outcome.kind !== 'failed') throw new Error('it did not fail');
  return outcome.failure;
}

function nixRuns(): number {
  return workshop.started.filter((argv) => argv.includes('nix') || argv.includes('nix-store')).length;
}

describe('evaluating a tree', () => {
  test('every configuration becomes a host, in one process, with its derivation rooted', async () => {
    const tree = await workshop.commit(base);
    const before = nixRuns();
    const { evaluate } = evaluation();
    const context = recordingContext();
    const release = complete(await evaluate(asking(tree), context));
    expect([...release.hosts.keys()]).toEqual(['db', 'web1', 'web2']);
    expect(nixRuns() - before).toBe(1);
    const web1 = release.hosts.get(parseHostName('web1'));
    expect(web1?.toplevel).toMatch(/-nixos-system-web1$/);
    const root = join(workshop.rootsFolder, 'releases', `${tree}-k`, 'web1');
    expect(await readlink(root)).toBe(web1?.drvPath);
    const drv = await readFile(join(workshop.storeRoot, web1?.drvPath ?? ''), 'utf8');
    expect(drv).toContain('one');
  });

  test('the same tree of two commits gives the same release, whatever their dates and messages', async () => {
    const tree = await workshop.commit(base, 'one way');
    const first = complete(await evaluation().evaluate(asking(tree), recordingContext()));
    await workshop.commit({ 'hosts/web1.nix': '"other"\n' });
    const again = await workshop.commit(base, 'back again');
    expect(again).toBe(tree);
    await rm(join(workshop.folder, 'trees'), { recursive: true });
    const second = complete(await evaluation().evaluate(asking(again), recordingContext()));
    expect(second.hosts).toEqual(first.hosts);
  });
});
