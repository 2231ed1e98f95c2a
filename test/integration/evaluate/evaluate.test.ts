import { readFile, readlink, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { parseHostName, type Tree } from '../../../shared/domain/names.ts';
import type { EvaluationOutcome, EvaluationRequest, Release } from '../../../shared/domain/observation.ts';
import { createEvaluate, type Evaluation } from '../../../worker/evaluate/evaluate.ts';
import {
  createEvaluator,
  usualEvaluatorSettings,
  type EvaluatorSettings,
} from '../../../worker/evaluate/evaluator.ts';
import { machineNow } from '../../../worker/evaluate/machine.ts';
import { createTreeStore } from '../../../worker/evaluate/tree-store.ts';
import { eventually } from '../../support/eventually.ts';
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
    const tree = await workshop.commitOnly(base);
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
    const tree = await workshop.commitOnly(base, 'one way');
    const first = complete(await evaluation().evaluate(asking(tree), recordingContext()));
    await workshop.commit({ 'hosts/web1.nix': '"other"\n' });
    const again = await workshop.commitOnly(base, 'back again');
    expect(again).toBe(tree);
    await rm(join(workshop.folder, 'trees'), { recursive: true });
    const second = complete(await evaluation().evaluate(asking(again), recordingContext()));
    expect(second.hosts).toEqual(first.hosts);
  });

  test('a commit that touches only the README has another tree and the same derivations', async () => {
    const plain = { 'flake.nix': flake.replace('${self.rev} ', '') };
    const one = await workshop.commitOnly({ ...base, ...plain });
    const two = await workshop.commit({ 'README.md': 'second\n' });
    expect(two).not.toBe(one);
    const first = complete(await evaluation().evaluate(asking(one), recordingContext()));
    const second = complete(await evaluation().evaluate(asking(two), recordingContext()));
    expect(second.hosts).toEqual(first.hosts);
  });

  test('a flake in a folder may use what lies beside the folder', async () => {
    const tree = await workshop.commitOnly({
      ...base,
      'fleet/flake.nix': flake.replaceAll('./hosts', '../hosts').replaceAll('./bb', '../bb'),
    });
    const release = complete(await evaluation().evaluate(asking(tree, 'all', 'fleet'), recordingContext()));
    expect(release.hosts.size).toBe(3);
  });

  test("files come out as they were committed, whatever the tree's attributes say", async () => {
    const tree = await workshop.commitOnly({
      ...base,
      'flake.nix': `{
        outputs = { self }: let
          system = text: { config.system.build.toplevel = derivation {
            name = "nixos-system"; system = "x86_64-linux"; builder = "/bin/sh"; inherit text;
          }; };
        in { nixosConfigurations.web1 = system (builtins.readFile ./hosts/web1.nix + builtins.readFile ./ignored/x); };
      }`,
      'hosts/web1.nix': 'line\n$Format:%H$ $Id$\n',
      'ignored/x': 'kept\n',
      '.gitattributes':
        '*.nix text eol=crlf export-subst ident filter=missing working-tree-encoding=UTF-16\nignored export-ignore\n',
    });
    const release = complete(await evaluation().evaluate(asking(tree), recordingContext()));
    const drvPath = release.hosts.get(parseHostName('web1'))?.drvPath ?? '';
    const drv = await readFile(join(workshop.storeRoot, drvPath), 'utf8');
    expect(drv).toContain('"text","line\\n$Format:%H$ $Id$\\nkept\\n"');
  });

  test('many hosts are evaluated in several processes when memory is short, with the same result', async () => {
    const hosts = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`hosts/n${i}.nix`, `"${i}"\n`]));
    const tree = await workshop.commitOnly({ ...base, ...hosts });
    const whole = complete(await evaluation().evaluate(asking(tree), recordingContext()));
    expect(whole.hosts.size).toBe(12);
    const before = nixRuns();
    const context = recordingContext();
    const cost = { baseBytes: 1_000, hostBytes: 1_000, worthwhile: 2 };
    const { evaluate } = evaluation({ cost }, 6_500);
    const parts = complete(await evaluate(asking(tree), context));
    expect(parts.hosts).toEqual(whole.hosts);
    expect(nixRuns() - before).toBeGreaterThan(3);
    expect(context.steps.at(-1)).toEqual({ what: 'evaluating', done: 12, total: 12 });
  });

  test('two that ask for the same release at once share one evaluation, and one of them may leave', async () => {
    const tree = await workshop.commitOnly({ ...base, 'hosts/web1.nix': '"shared flight"\n' });
    const before = nixRuns();
    const { evaluate } = evaluation();
    const impatient = new AbortController();
    const leaving = evaluate(asking(tree), recordingContext(impatient.signal));
    const staying = evaluate(asking(tree), recordingContext());
    impatient.abort();
    await expect(leaving).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(complete(await staying).hosts.size).toBe(3);
    expect(nixRuns() - before).toBe(1);
    expect(fetched).toEqual([tree]);
  });
});

describe('an evaluation that fails', () => {
  test('names the file, the line and the host', async () => {
    const tree = await workshop.commitOnly({
      ...base,
      'hosts/web2.nix': 'let\n  ports = { http = 80; };\nin\n  toString ports.https\n',
    });
    const failure = failed(await evaluation().evaluate(asking(tree), recordingContext()));
    expect(failure).toMatchObject({ code: 'EVALUATION_FAILED', disposition: 'stalled' });
    expect(failure.message).toContain("hosts/web2.nix:4: attribute 'https' missing");
    expect(failure.details).toMatchObject({ file: 'hosts/web2.nix', host: 'web2' });
  });

  test('says so for a syntax error, with its place', async () => {
    const tree = await workshop.commitOnly({ ...base, 'hosts/web2.nix': '{\n  a = 1\n}\n' });
    const failure = failed(await evaluation().evaluate(asking(tree), recordingContext()));
    expect(failure).toMatchObject({
      code: 'EVALUATION_FAILED',
      details: { file: 'hosts/web2.nix', line: '3', host: 'web2' },
    });
    expect(failure.message).toContain('hosts/web2.nix:3: ');
  });

  test('for a host without a configuration says what there is', async () => {
    const tree = await workshop.commitOnly(base);
    const failure = failed(
      await evaluation().evaluate(asking(tree, named('web1', 'mail')), recordingContext()),
    );
    expect(failure).toMatchObject({ code: 'EVALUATION_FAILED', details: { host: 'mail' } });
    expect(failure.message).toContain('it has db, web1, web2');
  });

  test('for an output that the flake does not have says what there is', async () => {
    const tree = await workshop.commitOnly(base);
    const ask = { ...asking(tree), attribute: 'machines' };
    const failure = failed(await evaluation().evaluate(ask, recordingContext()));
    expect(failure.message).toContain('has no output machines; it has nixosConfigurations');
  });

  test('for an incomplete lock file says what to run', async () => {
    const tree = await workshop.commitOnly({
      ...base,
      'flake.nix': flake
        .replace('{\n', '{\n  inputs.other.url = "git+file:///nowhere";\n')
        .replace('{ self }', '{ self, other }'),
    });
    const failure = failed(await evaluation().evaluate(asking(tree), recordingContext()));
    expect(failure).toMatchObject({ code: 'LOCK_FILE_INCOMPLETE', disposition: 'stalled' });
    expect(failure.hint).toContain('nix flake lock');
  });

  test('for want of an input that cannot be fetched is tried again', async () => {
    const rev = '0123456789012345678901234567890123456789';
    const locked = { type: 'git', url: 'http://127.0.0.1:9/x.git', rev, ref: 'main' };
    const tree = await workshop.commitOnly({
      ...base,
      'flake.nix': flake
        .replace(
          '{\n',
          '{\n  inputs.other = { url = "git+http://127.0.0.1:9/x.git?ref=main"; flake = false; };\n',
        )
        .replace('{ self }: let', '{ self, other }: let')
        .replace('bb = ', 'bb = builtins.seq (builtins.readDir other) '),
      'flake.lock': JSON.stringify({
        nodes: {
          other: {
            flake: false,
            locked: { ...locked, lastModified: 1, revCount: 1, narHash: `sha256-${'A'.repeat(43)}=` },
            original: { type: 'git', url: locked.url, ref: 'main' },
          },
          root: { inputs: { other: 'other' } },
        },
        root: 'root',
        version: 7,
      }),
    });
    const failure = failed(await evaluation().evaluate(asking(tree), recordingContext()));
    expect(failure).toMatchObject({ code: 'EVALUATION_LIMIT', disposition: 'transient' });
  });

  test('by running out of memory is tried again, and not remembered', async () => {
    const tree = await workshop.commitOnly({
      ...base,
      'hosts/web1.nix':
        "builtins.toString (builtins.length (builtins.foldl' (a: _: a ++ a) [ 1 ] (builtins.genList (x: x) 40)))\n",
    });
    const failure = failed(
      await evaluation({ leastBytesEach: 1024 ** 3 }, 1_000).evaluate(asking(tree), recordingContext()),
    );
    expect(failure).toMatchObject({ code: 'EVALUATION_LIMIT', disposition: 'transient' });
    expect(failure.message).toContain('memory');
  });

  test('by taking too long is tried again, and not remembered', async () => {
    const tree = await workshop.commitOnly({
      ...base,
      'hosts/web1.nix':
        'builtins.toString (builtins.length (builtins.genericClosure { startSet = [ { key = 0; } ]; operator = x: [ { key = x.key + 1; } ]; }))\n',
    });
    const failure = failed(
      await evaluation({ deadlineMs: 1_000 }).evaluate(asking(tree), recordingContext()),
    );
    expect(failure).toMatchObject({
      code: 'EVALUATION_LIMIT',
      disposition: 'transient',
      details: { limit: 'time' },
    });
  });

  test('is cut off when nobody waits for it any more', async () => {
    const tree = await workshop.commitOnly({
      ...base,
      'hosts/web1.nix':
        'builtins.toString (builtins.length (builtins.genericClosure { startSet = [ { key = 1; } ]; operator = x: [ { key = x.key + 1; } ]; }))\n',
    });
    const stop = new AbortController();
    const running = evaluation().evaluate(asking(tree), recordingContext(stop.signal));
    const before = nixRuns();
    await eventually(() => nixRuns() > before, { what: 'nix to be started', deadlineMs: 10_000 });
    stop.abort();
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('what is meant to break things', () => {
  const nasty = ['--option', 'a b', 'x"; y', '${builtins.throw "out"}', "''", '../up', 'line\nbreak', '\\'];

  test('an attribute with any name is only ever a name', async () => {
    const tree = await workshop.commitOnly({
      ...base,
      'flake.nix': flake.replace(
        'nixosConfigurations = ',
        `nixosConfigurations = builtins.listToAttrs (map (name: { inherit name; value = system "db"; }) (builtins.fromJSON (builtins.readFile ./names.json))) // `,
      ),
      'names.json': JSON.stringify(nasty),
    });
    const hosts = new Map(nasty.map((attribute, i) => [parseHostName(`n${i}`), attribute]));
    const release = complete(await evaluation().evaluate(asking(tree, hosts), recordingContext()));
    expect(release.hosts.size).toBe(nasty.length);
    // Where every attribute is a host, those that cannot be one are not left out without a word.
    const failure = failed(await evaluation().evaluate(asking(tree), recordingContext()));
    expect(failure).toMatchObject({ code: 'EVALUATION_FAILED', disposition: 'stalled' });
    for (const name of nasty) expect(failure.message).toContain(JSON.stringify(name));
    expect(failure.hint).toContain('`attribute`');
  });

  test('an attribute that does not exist is named in the error, and nothing of it is evaluated', async () => {
    const tree = await workshop.commitOnly(base);
    for (const attribute of nasty) {
      const hosts = new Map([[parseHostName('web1'), attribute]]);
      const failure = failed(await evaluation().evaluate(asking(tree, hosts), recordingContext()));
      expect(failure.code).toBe('EVALUATION_FAILED');
      expect(failure.details).toMatchObject({ attribute });
    }
  });

  test('a folder that leads out of the tree is refused', async () => {
    const tree = await workshop.commitOnly(base);
    for (const folder of ['../', '/etc', 'a/../../b', 'a\nb']) {
      const failure = failed(await evaluation().evaluate(asking(tree, 'all', folder), recordingContext()));
      expect(failure).toMatchObject({ code: 'INVALID_INPUT', disposition: 'stalled' });
    }
  });

  test('a symbolic link out of the tree is not followed', async () => {
    await workshop.commitOnly(base);
    await rm(join(workshop.repository, 'hosts/web1.nix'));
    await symlink('/etc/hostname', join(workshop.repository, 'hosts/web1.nix'));
    const tree = await workshop.commit({});
    const failure = failed(await evaluation().evaluate(asking(tree), recordingContext()));
    expect(failure).toMatchObject({ code: 'EVALUATION_FAILED', disposition: 'stalled' });
  });

  test('a pack of another tree, and one that is cut off, are refused', async () => {
    const tree = await workshop.commitOnly({ ...base, 'README.md': 'wanted\n' });
    const other = await workshop.commit({ 'README.md': 'something else\n' });
    const pack = await workshop.pack(tree);
    const wrong = [await workshop.pack(other), pack.subarray(0, pack.length - 30), new Uint8Array()];
    for (const bytes of wrong) {
      const trees = createTreeStore({
        git: workshop.git,
        folder: join(workshop.folder, 'wrong-trees'),
        keep: 3,
        fetchTree: async () => bytes,
      });
      const { signal } = new AbortController();
      await expect(trees.open(tree, signal)).rejects.toMatchObject({ code: 'REVISION_MISMATCH' });
      expect(await readdir(join(workshop.folder, 'wrong-trees'))).toEqual([]);
    }
  });
});

describe('the trees that a worker keeps', () => {
  test('are fetched once, and the one not used for longest goes first', async () => {
    const folder = join(workshop.folder, 'kept-trees');
    const asked: Tree[] = [];
    const trees = createTreeStore({
      git: workshop.git,
      folder,
      keep: 2,
      fetchTree: (tree) => {
        asked.push(tree);
        return workshop.pack(tree);
      },
    });
    const { signal } = new AbortController();
    const [a, b, c] = [
      await workshop.commit({ 'README.md': 'a\n' }),
      await workshop.commit({ 'README.md': 'b\n' }),
      await workshop.commit({ 'README.md': 'c\n' }),
    ];
    await trees.open(a, signal);
    await trees.open(b, signal);
    await trees.open(a, signal);
    await trees.open(c, signal);
    expect(asked).toEqual([a, b, c]);
    expect((await readdir(folder)).sort()).toEqual([a, c].sort());
  });
});
