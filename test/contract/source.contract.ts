import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseRevision, parseTree, type Revision, type Tree } from '../../shared/domain/names.ts';
import type { Look, Source } from '../../shared/platform/ports/source.ts';

/** What a commit holds; equal contents make equal trees. */
export interface CommittedFiles {
  readonly readme: string;
  /** `invalid`: a `varve.yaml` with a key that does not exist. */
  readonly hosts: readonly string[] | 'invalid';
}

export interface Committed {
  readonly revision: Revision;
  readonly tree: Tree;
  readonly author: string;
  readonly subject: string;
}

/** A repository for one test, with one tracked branch. */
export interface SourceRig {
  /** The source of a controller: with the same name, another life of it that has what the one before had. */
  open(controller: string): Promise<Source>;
  /** A commit on top of the branch. */
  commit(files: CommittedFiles): Promise<Committed>;
  /** A commit on top of any other, to which the testing branch of a host is set. */
  test(host: string, files: CommittedFiles, onto: Revision): Promise<Committed>;
  /** The testing branch of a host is set to a commit that exists, or is removed. */
  pointTest(host: string, revision: Revision | undefined): Promise<void>;
  /** A force push. */
  point(revision: Revision): Promise<void>;
  /** The repository does not answer, and does again. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

const first: CommittedFiles = { readme: 'a', hosts: ['web1'] };
const second: CommittedFiles = { ...first, readme: 'b' };
const never = '0123456789012345678901234567890123456789';

/** What every Source shows, whatever it watches. */
export function sourceContract(name: string, make: () => Promise<SourceRig>): void {
  describe(`the source: ${name}`, () => {
    let rig: SourceRig;
    let source: Source;
    beforeEach(async () => {
      rig = await make();
      source = await rig.open('here');
    });
    afterEach(() => rig.close());

    async function seen(since?: Revision, from = source): Promise<Extract<Look, { kind: 'seen' }>> {
      const look = await from.look(since);
      if (look.kind === 'failing') throw new Error(`${look.failure.code}: ${look.failure.message}`);
      return look;
    }

    test('sees the head of the branch with its tree, author and subject', async () => {
      const commit = await rig.commit(first);
      expect(await seen()).toEqual({ kind: 'seen', descends: true, testing: [], ...commit });
    });

    test('sees the same again when nothing has changed', async () => {
      const { revision } = await rig.commit(first);
      const before = await seen();
      expect(await seen(revision)).toEqual(before);
    });

    test('sees a new commit, and that it descends from all before', async () => {
      const a = await rig.commit(first);
      await seen();
      const b = await rig.commit(second);
      const c = await rig.commit({ ...second, readme: 'c' });
      expect(await seen(a.revision)).toMatchObject({ revision: c.revision, descends: true });
      expect(await seen(b.revision)).toMatchObject({ revision: c.revision, descends: true });
      expect(await seen(c.revision)).toMatchObject({ revision: c.revision, descends: true });
    });

    test('sees that a revert is another revision of the same tree', async () => {
      const a = await rig.commit(first);
      const b = await rig.commit(second);
      const c = await rig.commit(first);
      expect(await seen(b.revision)).toMatchObject({ revision: c.revision, tree: a.tree, descends: true });
      expect(c.revision).not.toBe(a.revision);
      expect(b.tree).not.toBe(a.tree);
    });

    test('follows a force push back to an older commit, and forward again', async () => {
      const a = await rig.commit(first);
      await seen();
      const b = await rig.commit(second);
      await seen(a.revision);
      await rig.point(a.revision);
      expect(await seen(b.revision)).toMatchObject({ revision: a.revision, descends: false });
      await rig.point(b.revision);
      expect(await seen(a.revision)).toMatchObject({ revision: b.revision, descends: true });
    });

    test('follows a force push to another line of commits, and still has what it took away', async () => {
      const a = await rig.commit(first);
      const lost = await rig.commit(second);
      await seen();
      await rig.point(a.revision);
      const other = await rig.commit({ ...first, readme: 'other' });
      expect(await seen(lost.revision)).toMatchObject({ revision: other.revision, descends: false });
      expect(await source.manifest(lost.revision)).toMatchObject({ kind: 'fleet' });
      expect((await source.pack(lost.tree)).length).toBeGreaterThan(0);
    });

    test('does not descend from what nobody knows', async () => {
      await rig.commit(first);
      expect(await seen(parseRevision(never))).toMatchObject({ descends: false });
    });

    test('sees a testing branch on top of the branch, which then can be packed', async () => {
      const main = await rig.commit(first);
      const tested = await rig.test('web1', second, main.revision);
      const look = await seen();
      expect(look.revision).toBe(main.revision);
      expect(look.testing).toEqual([{ host: 'web1', ignored: undefined, ...tested }]);
      expect((await source.pack(tested.tree)).length).toBeGreaterThan(0);
    });

    test('ignores a testing branch that the branch has gone past', async () => {
      const a = await rig.commit(first);
      const b = await rig.commit(second);
      await rig.test('web1', { ...first, readme: 'c' }, a.revision);
      const look = await seen(b.revision);
      expect(look.testing).toMatchObject([{ host: 'web1', ignored: 'it is not on top of the tracked ref' }]);
    });

    test('follows a testing branch forward, back to the branch, and away', async () => {
      const main = await rig.commit(first);
      const one = await rig.test('web1', second, main.revision);
      expect((await seen()).testing).toMatchObject([{ revision: one.revision, ignored: undefined }]);
      const two = await rig.test('web1', { ...first, readme: 'c' }, one.revision);
      expect((await seen()).testing).toMatchObject([{ revision: two.revision, ignored: undefined }]);
      await rig.pointTest('web1', main.revision);
      expect((await seen()).testing).toMatchObject([{ ignored: 'the tracked ref holds it' }]);
      await rig.pointTest('web1', undefined);
      expect((await seen()).testing).toEqual([]);
    });

    test('sees that the branch has come to hold what was tested', async () => {
      const main = await rig.commit(first);
      const tested = await rig.test('web1', second, main.revision);
      await seen();
      await rig.point(tested.revision);
      const look = await seen(main.revision);
      expect(look).toMatchObject({ revision: tested.revision, descends: true });
      expect(look.testing).toMatchObject([{ ignored: 'the tracked ref holds it' }]);
    });

    test('ignores a testing branch with a varve.yaml that cannot be read', async () => {
      const main = await rig.commit(first);
      await rig.test('web1', { ...first, hosts: 'invalid' }, main.revision);
      const [branch] = (await seen()).testing ?? [];
      expect(branch?.ignored).toEqual(expect.any(String));
    });

    test('says that the repository does not answer, keeps what it has, and goes on when it does', async () => {
      const a = await rig.commit(first);
      await seen();
      await rig.down();
      expect(await source.look(a.revision)).toMatchObject({
        kind: 'failing',
        failure: { code: 'SOURCE_UNREACHABLE', disposition: 'transient' },
      });
      expect(await source.manifest(a.revision)).toMatchObject({ kind: 'fleet' });
      expect((await source.pack(a.tree)).length).toBeGreaterThan(0);
      await rig.up();
      expect(await seen(a.revision)).toMatchObject({ revision: a.revision, descends: true });
    });

    test('serves many looks at once', async () => {
      const { revision } = await rig.commit(first);
      const looks = await Promise.all([seen(), seen(), seen()]);
      expect(looks.map((look) => look.revision)).toEqual([revision, revision, revision]);
    });

    test('reads the hosts of a revision, the same ones whenever it is asked', async () => {
      const a = await rig.commit(first);
      await seen();
      const b = await rig.commit({ ...first, hosts: ['web1', 'web2'] });
      await seen();
      const hostsAt = async (revision: Revision): Promise<unknown> => {
        const manifest = await source.manifest(revision);
        if (manifest.kind !== 'fleet' || manifest.fleet.hosts.kind !== 'listed') return manifest;
        return manifest.fleet.hosts.list.map((host) => host.name);
      };
      expect(await hostsAt(b.revision)).toEqual(['web1', 'web2']);
      expect(await hostsAt(a.revision)).toEqual(['web1']);
      expect(await hostsAt(a.revision)).toEqual(['web1']);
    });

    test('says what is wrong with a revision whose varve.yaml cannot be read', async () => {
      const { revision } = await rig.commit({ ...first, hosts: 'invalid' });
      await seen();
      expect(await source.manifest(revision)).toMatchObject({
        kind: 'invalid',
        failure: { code: 'MANIFEST_INVALID', disposition: 'stalled' },
      });
    });

    test('packs equal trees alike', async () => {
      const { tree } = await rig.commit(first);
      await seen();
      const pack = await source.pack(tree);
      await rig.commit(second);
      await rig.commit(first);
      expect((await seen()).tree).toBe(tree);
      expect(await source.pack(tree)).toEqual(pack);
    });

    test('has nothing that it did not see, whatever another one saw', async () => {
      const { revision, tree } = await rig.commit(first);
      const there = await rig.open('there');
      await seen(undefined, there);
      const notFound = { name: 'FleetError', code: 'NOT_FOUND', disposition: 'transient' };
      await expect(source.manifest(revision)).rejects.toMatchObject(notFound);
      await expect(source.pack(tree)).rejects.toMatchObject(notFound);
      await expect(there.manifest(parseRevision(never))).rejects.toMatchObject(notFound);
      await expect(there.pack(parseTree(never))).rejects.toMatchObject(notFound);
    });

    test('goes on in another life with what it had', async () => {
      const a = await rig.commit(first);
      await seen();
      const next = await rig.open('here');
      expect(await next.manifest(a.revision)).toMatchObject({ kind: 'fleet' });
      expect((await next.pack(a.tree)).length).toBeGreaterThan(0);
      const b = await rig.commit(second);
      expect(await seen(a.revision, next)).toMatchObject({ revision: b.revision, descends: true });
    });
  });
}
