import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSource } from '../../controller/source/create-source.ts';
import type { SourceSettings } from '../../controller/source/create-source.ts';
import type { OpenSource } from '../../controller/source/mirror-source.ts';
import type { Reverter } from '../../controller/source/revert.ts';
import { parseRevision, parseTree } from '../../shared/domain/names.ts';
import type { Revision, Tree } from '../../shared/domain/names.ts';
import { silentLogger } from '../../shared/platform/logger.ts';
import type { Look } from '../../shared/platform/ports/source.ts';
import { syntheticCommit } from '../../shared/platform/synthetic-commit.ts';
import { createConfigRepository } from '../support/config-repository.ts';
import type { ConfigRepository } from '../support/config-repository.ts';
import { createGitHttpServer } from '../support/git-http-server.ts';
import type { GitHttpServer } from '../support/git-http-server.ts';
import { argumentsSeen, flake, git, remoteRig, type SourceKind } from './source-remote-rig.ts';
import { sourceContract } from './source.contract.ts';

const secret = 'tok3n-not-for-eyes';
const never = parseRevision('0123456789012345678901234567890123456789');

/** What every Source shows, and what only those with a remote repository do. */
export function remoteSourceContract(kind: SourceKind): void {
  sourceContract(kind.name, () => remoteRig(kind));

  let folder: string;
  let repository: ConfigRepository;
  let server: GitHttpServer;
  let url: string;
  let opened: OpenSource[];
  let source: OpenSource;
  let reverter: Reverter;

  function open(
    settings: Partial<SourceSettings> = {},
    password?: string,
  ): { source: OpenSource; reverter: Reverter } {
    const made = createSource(
      {
        url,
        ref: 'main',
        adapter: kind.adapter,
        dataFolder: join(folder, 'data'),
        times: { listMs: 10_000, fetchMs: 20_000 },
        ...settings,
      },
      {
        git,
        logger: silentLogger,
        credential: async () => (password === undefined ? undefined : { username: 'ann', password }),
      },
    );
    opened.push(made.source);
    return made;
  }

  async function seen(since?: Revision, from = source): Promise<Extract<Look, { kind: 'seen' }>> {
    const look = await from.look(since);
    if (look.kind === 'failing') throw new Error(`${look.failure.code}: ${look.failure.message}`);
    return look;
  }

  async function failing(from = source): Promise<Extract<Look, { kind: 'failing' }>['failure']> {
    const look = await from.look(undefined);
    if (look.kind === 'seen') throw new Error(`seen ${look.revision}`);
    return look.failure;
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-source-'));
    repository = await createConfigRepository(join(folder, 'remotes', 'fleet.git'));
    server = await createGitHttpServer(join(folder, 'remotes'));
    url = kind.transport === 'http' ? server.url('fleet.git') : repository.folder;
    opened = [];
    ({ source, reverter } = open());
  });

  afterEach(async () => {
    for (const each of opened) await each.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  describe(`a source over ${kind.name}`, () => {
    it('sees the head of the branch with its tree, author and subject', async () => {
      const revision = await repository.commit({ files: flake, subject: 'Größer: web1' });
      expect(await seen()).toEqual({
        kind: 'seen',
        revision,
        tree: await repository.tree(revision),
        descends: true,
        testing: [],
        author: 'Ann Éxample',
        subject: 'Größer: web1',
      });
    });

    it('sees the same again when nothing has changed, and only lists', async () => {
      const revision = await repository.commit({ files: flake });
      const first = await seen();
      const before = server.requests.length;
      expect(await seen(revision)).toEqual(first);
      // Never a request for a pack: what is wanted from the server is its listing.
      const posts = server.requests.slice(before).filter((request) => request.method === 'POST');
      expect(posts.length).toBeLessThanOrEqual(1);
    });

    it('follows a force push to another history, and says that it does not descend', async () => {
      await repository.commit({ files: flake });
      const b = await repository.commit({ files: { readme: 'b' } });
      await seen();
      const other = await repository.commit({ files: { ...flake, readme: 'other' }, parents: [] });
      expect(await seen(b)).toMatchObject({ revision: other, descends: false });
    });

    it('still has a revision that a force push took away', async () => {
      await repository.commit({ files: flake });
      const lost = await repository.commit({ files: { readme: 'lost' } });
      const { tree } = await seen();
      await repository.commit({ files: flake, parents: [] });
      await seen(lost);
      await repository.git('reflog', 'expire', '--expire=now', '--all');
      await repository.git('gc', '--quiet', '--prune=now');
      expect(await source.manifest(lost)).toMatchObject({ kind: 'fleet' });
      expect((await source.pack(tree)).length).toBeGreaterThan(0);
    });

    it('knows what descends from what after its data folder was lost', async () => {
      const commits = await repository.history(
        Array.from({ length: 60 }, (_, n) => ({ ...flake, n: String(n) })),
      );
      const [first] = commits;
      if (first === undefined) throw new Error('no commits');
      expect(await seen(first)).toMatchObject({ revision: commits.at(-1), descends: true });
      expect(await seen(never)).toMatchObject({ descends: false });
      const other = await repository.commit({ files: flake, parents: [first] });
      expect(await seen(commits.at(-1))).toMatchObject({ revision: other, descends: false });
    });

    it('reports a deleted branch, keeps what it has, and goes on when it is back', async () => {
      const a = await repository.commit({ files: flake });
      await repository.commit({ branch: 'other', files: flake });
      await seen();
      await repository.remove('main');
      expect(await failing()).toMatchObject({ code: 'REF_NOT_FOUND', disposition: 'transient' });
      expect(await source.manifest(a)).toMatchObject({ kind: 'fleet' });
      const again = await repository.commit({ files: { ...flake, x: '1' }, parents: [] });
      expect(await seen(a)).toMatchObject({ revision: again, descends: false });
    });

    it('reports an empty repository, and begins when something is there', async () => {
      expect(await failing()).toMatchObject({ code: 'REF_NOT_FOUND' });
      const a = await repository.commit({ files: flake });
      expect(await seen()).toMatchObject({ revision: a });
    });

    it('sees a branch where the HEAD of the repository names none', async () => {
      await repository.git('symbolic-ref', 'HEAD', 'refs/heads/absent');
      const a = await repository.commit({ files: flake });
      expect(await seen()).toMatchObject({ revision: a });
    });

    it('is not led astray by branches that look like options or like the tracked one', async () => {
      const a = await repository.commit({ files: flake });
      await repository.point('--upload-pack=touch', a);
      const b = await repository.commit({ files: { readme: 'b' } });
      await repository.point('x/refs/heads/main', a);
      await repository.point('main-2', a);
      expect(await seen()).toMatchObject({ revision: b });
    });

    it('goes on when its data folder was taken away under it', async () => {
      const a = await repository.commit({ files: flake });
      await seen();
      await rm(join(folder, 'data'), { recursive: true });
      await source.look(a);
      expect(await seen(a)).toMatchObject({ revision: a, descends: true });
      expect(await source.manifest(a)).toMatchObject({ kind: 'fleet' });
    });

    it('never fails while others push all the time, and ends on the last commit', async () => {
      let last = await repository.commit({ files: flake });
      const pusher = { done: false };
      const pushes = (async () => {
        for (let n = 0; n < 20; n += 1) {
          last = await repository.commit({
            files: { n: String(n) },
            ...(n % 5 === 4 ? { parents: [last] } : {}),
          });
        }
        pusher.done = true;
      })();
      let since: Revision | undefined;
      while (!pusher.done) since = (await seen(since)).revision;
      await pushes;
      expect(await seen(since)).toMatchObject({ revision: last, descends: true });
    });

    it('packs a tree under its synthetic commit, complete and the same for equal trees', async () => {
      await repository.commit({
        files: { ...flake, 'größe/日本.nix': 'x\n', run: { mode: '100755', text: '#!' } },
      });
      const { tree } = await seen();
      const other = join(folder, 'worker.git');
      await git.ok(['init', '--quiet', '--bare', other]);
      const pack = await source.pack(tree);
      await git.ok([`--git-dir=${other}`, 'index-pack', '--stdin', '--strict'], { input: pack });
      const { sha } = syntheticCommit(tree);
      expect(await git.ok([`--git-dir=${other}`, 'rev-parse', `${sha}^{tree}`])).toBe(tree);
      expect(await git.ok([`--git-dir=${other}`, 'rev-list', '--objects', '--count', sha])).toBe('7');
    });

    it('packs nothing that was not seen on the branch', async () => {
      await repository.commit({ files: flake });
      await seen();
      const elsewhere = await repository.commit({ branch: 'other', files: { ...flake, x: '1' } });
      const missing: Tree[] = [await repository.tree(elsewhere), parseTree(never)];
      for (const tree of missing) {
        await expect(source.pack(tree)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      }
      await expect(source.manifest(never)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('reads the hosts of a revision, and without varve.yaml leaves them to be discovered', async () => {
      const a = await repository.commit({ files: flake });
      await seen();
      const b = await repository.commit({ files: { 'varve.yaml': undefined } });
      await seen(a);
      expect(await source.manifest(a)).toMatchObject({
        fleet: { hosts: { kind: 'listed', list: [{ name: 'web1' }] } },
      });
      expect(await source.manifest(b)).toMatchObject({ fleet: { hosts: { kind: 'discovered' } } });
    });

    it('reverts a commit on the branch, and sees the tree of before', async () => {
      const a = await repository.commit({ files: flake });
      const b = await repository.commit({ files: { readme: 'b' }, subject: 'add a readme' });
      await seen();
      const done = await reverter.revert({ revision: b, actor: 'ann', at: 1_800_000_000_000 });
      expect(await repository.head()).toBe(done.revision);
      expect(await seen(b)).toMatchObject({
        revision: done.revision,
        tree: await repository.tree(a),
        descends: true,
        author: 'ann (by Varve)',
        subject: 'Revert "add a readme"',
      });
    });
  });

  // A path has no server that could misbehave.
  if (kind.transport === 'path') return;
  describe(`a source over ${kind.name} and a server with faults`, () => {
    it('reports a server that is down, and goes on when it is up', async () => {
      const a = await repository.commit({ files: flake });
      await server.stop();
      expect(await failing()).toMatchObject({ code: 'SOURCE_UNREACHABLE', disposition: 'transient' });
      await server.start();
      expect(await seen()).toMatchObject({ revision: a });
    });

    it('gives a hung server up at the deadline, and goes on when it answers', async () => {
      const a = await repository.commit({ files: flake });
      const short = open({ times: { listMs: 700, fetchMs: 20_000 } }).source;
      server.faults = { hang: true };
      const began = performance.now();
      expect(await failing(short)).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
      expect(performance.now() - began).toBeLessThan(8_000);
      server.faults = {};
      expect(await seen(undefined, source)).toMatchObject({ revision: a });
    });

    it.each([401, 403])('reports a refusal with status %i', async (status) => {
      await repository.commit({ files: flake });
      server.faults = { status };
      expect(await failing()).toMatchObject({ code: 'SOURCE_AUTH_FAILED' });
    });

    it.each([404, 500, 502])('reports a broken server with status %i', async (status) => {
      await repository.commit({ files: flake });
      server.faults = { status };
      expect(await failing()).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    });

    it('presents its credential, and takes a new one without a restart', async () => {
      const a = await repository.commit({ files: flake });
      server.expected = `ann:${secret}`;
      let password = 'wr0ng-and-old';
      const made = createSource(
        { url, ref: 'main', adapter: kind.adapter, dataFolder: join(folder, 'data') },
        { git, logger: silentLogger, credential: async () => ({ username: 'ann', password }) },
      );
      opened.push(made.source);
      expect(await failing(made.source)).toMatchObject({ code: 'SOURCE_AUTH_FAILED' });
      password = secret;
      expect(await seen(undefined, made.source)).toMatchObject({ revision: a });
      expect(await failing()).toMatchObject({ code: 'SOURCE_AUTH_FAILED' });
    });

    it('keeps its credential out of errors, arguments of programs and everything that it writes', async () => {
      await repository.commit({ files: flake });
      server.expected = `ann:${secret}`;
      const { source: mine } = open({}, secret);
      await seen(undefined, mine);
      server.expected = `ann:another`;
      const failure = await failing(mine);
      expect(failure.code).toBe('SOURCE_AUTH_FAILED');
      const basic = Buffer.from(`ann:${secret}`).toString('base64');
      const written = await filesUnder(join(folder, 'data'));
      for (const text of [JSON.stringify(failure), ...argumentsSeen, ...written]) {
        expect(text).not.toContain(secret);
        expect(text).not.toContain(basic);
      }
    });

    it('does not take its credential to where the server redirects', async () => {
      await repository.commit({ files: flake });
      const elsewhere = await createGitHttpServer(join(folder, 'remotes'));
      try {
        server.faults = { redirectTo: `${elsewhere.url('fleet.git')}/info/refs?service=git-upload-pack` };
        const { source: mine } = open({}, secret);
        expect(await failing(mine)).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
        expect(elsewhere.requests).toEqual([]);
      } finally {
        await elsewhere.stop();
      }
    });

    it('does not believe a listing whose revision the server does not give', async () => {
      const a = await repository.commit({ files: flake });
      server.faults = { pretend: [a, never] };
      expect(await failing()).toMatchObject({ code: 'REVISION_MISMATCH', disposition: 'transient' });
      server.faults = {};
      expect(await seen()).toMatchObject({ revision: a });
    });

    it('begins its mirror again when it is damaged', async () => {
      const a = await repository.commit({ files: flake });
      await seen();
      const mirrors = join(folder, 'data', 'mirrors');
      const [name] = await readdir(mirrors);
      await writeFile(join(mirrors, name ?? '', 'HEAD'), 'garbage');
      const next = open().source;
      expect(await seen(a, next)).toMatchObject({ revision: a });
    });
  });
}

async function filesUnder(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1')),
  );
}
