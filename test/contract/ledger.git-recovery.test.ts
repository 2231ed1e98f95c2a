import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { accessWith } from '../../controller/git-access.ts';
import { createGitLedger, type GitLedger, ledgerRef } from '../../controller/ledger/git-ledger.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { createGitProgram } from '../../shared/platform/git-program.ts';
import { silentLogger } from '../../shared/platform/logger.ts';
import { createSystemClock } from '../../shared/platform/system-clock.ts';
import { createGitHttpServer } from '../support/git-http-server.ts';
import { aGenesis, anIntent, anObservation, anOutcome, everyKind, web2 } from '../support/ledger-facts.ts';

const git = createGitProgram({ run: createRun() });
let folder = '';
let dir = '';
let remote = '';
let opened: GitLedger[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-ledger-'));
  dir = join(folder, 'ledger.git');
  remote = join(folder, 'remote.git');
  opened = [];
});

afterEach(async () => {
  for (const ledger of opened) await ledger.close();
  await rm(folder, { recursive: true, force: true });
});

function aLedger(options: { dir?: string; url?: string; lockWaitMs?: number } = {}): GitLedger {
  const { url } = options;
  const ledger = createGitLedger(
    { git, clock: createSystemClock(), log: silentLogger },
    {
      dir: options.dir ?? dir,
      lockWaitMs: options.lockWaitMs ?? 3_000,
      ...(url === undefined ? {} : { remote: { url } }),
    },
  );
  opened.push(ledger);
  return ledger;
}

async function aRemote(): Promise<string> {
  await git.ok(['init', '--quiet', '--bare', remote]);
  return remote;
}

/** The writer as a process of its own; `killedAfter` facts it is killed where it stands. */
async function writeUntilKilled(args: readonly string[], killedAfter: number): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/ledger-writer.ts', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let acknowledged = -1;
  let seen = 0;
  for await (const line of createInterface(child.stdout)) {
    if (!line.startsWith('loaded')) acknowledged = Number(line);
    seen += 1;
    if (seen === killedAfter) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return acknowledged;
}

describe('after a crash', () => {
  it('loads whatever was acknowledged, wherever the writer was killed, and can be appended to', async () => {
    for (const killedAfter of [1, 3, 6]) {
      const acknowledged = await writeUntilKilled([dir], killedAfter);
      const ledger = aLedger();
      const facts = await ledger.load();
      expect(facts.length).toBeGreaterThan(acknowledged);
      expect(facts).toEqual(facts.map((_, n) => anIntent(n)));
      expect(await ledger.append([anIntent(facts.length)])).toMatchObject({ kind: 'appended' });
      await ledger.close();
    }
  });

  it('agrees with the remote, wherever the writer was killed', async () => {
    const url = await aRemote();
    for (const killedAfter of [1, 2, 4]) {
      const acknowledged = await writeUntilKilled([dir, url], killedAfter);
      const elsewhere = await aLedger({ dir: join(folder, `other-${killedAfter}.git`), url }).load();
      expect(elsewhere.length).toBeGreaterThan(acknowledged);
      const ledger = aLedger({ url });
      expect(await ledger.load()).toEqual(elsewhere);
      await ledger.close();
    }
  });

  it('is not stopped by lock files that a killed Git left behind', async () => {
    const ledger = aLedger();
    await ledger.load();
    await ledger.append([aGenesis]);
    await ledger.close();
    await writeFile(join(dir, 'refs/varve/ledger.lock'), '');
    await writeFile(join(dir, 'packed-refs.lock'), '');
    const next = aLedger();
    expect(await next.load()).toEqual([aGenesis]);
    expect(await next.append([anObservation(1)])).toMatchObject({ kind: 'appended' });
  });

  it('has lost nothing when the local copy is gone and there is a remote', async () => {
    const url = await aRemote();
    const ledger = aLedger({ url });
    await ledger.load();
    await ledger.append(everyKind);
    await ledger.close();
    await rm(dir, { recursive: true });
    expect(await aLedger({ url }).load()).toEqual(everyKind);
  });
});

describe('the folder of one controller', () => {
  it('is refused to a second one, which is told what to do', async () => {
    await aLedger().load();
    await expect(aLedger({ lockWaitMs: 100 }).load()).rejects.toMatchObject({
      code: 'LEDGER_CONFLICT',
      disposition: 'stalled',
      hint: expect.stringContaining('ledger remote'),
    });
  });

  it('is free again as soon as the first one has been killed', async () => {
    await writeUntilKilled([dir], 1);
    await expect(aLedger({ lockWaitMs: 1_000 }).load()).resolves.toBeDefined();
  });

  it('cannot be appended to before it was loaded, nor after it was closed', async () => {
    const ledger = aLedger();
    await expect(ledger.append([aGenesis])).rejects.toMatchObject({ code: 'INTERNAL' });
    await ledger.load();
    await ledger.close();
    await expect(ledger.append([aGenesis])).rejects.toMatchObject({ code: 'INTERNAL' });
    await expect(ledger.load()).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('answers with a conflict when somebody moved its ledger by hand', async () => {
    const ledger = aLedger();
    await ledger.load();
    await ledger.append([aGenesis]);
    await ledger.append([anObservation(1)]);
    const tree = await git.ok(['rev-parse', `${ledgerRef}^{tree}`], { cwd: dir });
    const person = ['-c', 'user.name=a', '-c', 'user.email=a@b'];
    const other = await git.ok([...person, 'commit-tree', '-m', 'by hand', tree], { cwd: dir });
    await git.ok(['update-ref', ledgerRef, other], { cwd: dir });
    expect(await ledger.append([anObservation(2)])).toEqual({ kind: 'conflict' });
    await expect(ledger.load()).rejects.toMatchObject({ code: 'LEDGER_BROKEN' });
  });
});

describe('a remote over HTTP', () => {
  it('is given the credential as it is now, and nothing of it is left in the folder', async () => {
    const server = await createGitHttpServer(folder);
    try {
      await git.ok(['init', '--quiet', '--bare', join(folder, 'shared.git')]);
      const url = server.url('shared.git');
      server.expected = 'varve:second-t0ken';
      let password = 'first-t0ken';
      const ledger = createGitLedger(
        { git, clock: createSystemClock(), log: silentLogger },
        {
          dir: join(folder, 'over-http.git'),
          remote: { url, access: async () => accessWith(url, { username: 'varve', password }) },
        },
      );
      try {
        await expect(ledger.load()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
        password = 'second-t0ken';
        await ledger.load();
        expect(await ledger.append([{ kind: 'genesis', at: 1, owner: 'us' }])).toMatchObject({
          kind: 'appended',
        });
      } finally {
        await ledger.close();
      }
      expect(await git.ok(['rev-parse', ledgerRef], { cwd: join(folder, 'shared.git') })).toMatch(
        /^[0-9a-f]{40}$/,
      );
      expect(await readFile(join(folder, 'over-http.git', 'config'), 'utf8')).not.toContain('t0ken');
    } finally {
      await server.stop();
    }
  });
});

describe('a remote', () => {
  it('that is away: nothing counts as appended, and it goes on when the remote is back', async () => {
    const url = await aRemote();
    const ledger = aLedger({ url });
    await ledger.load();
    await ledger.append([aGenesis]);
    await rename(remote, `${remote}.away`);
    await expect(ledger.append([anObservation(1)])).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      disposition: 'transient',
    });
    await expect(aLedger({ dir: join(folder, 'b.git'), url }).load()).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    await rename(`${remote}.away`, remote);
    expect(await aLedger({ dir: join(folder, 'c.git'), url }).load()).toEqual([aGenesis]);
    expect(await ledger.append([anObservation(1)])).toMatchObject({ kind: 'appended' });
    expect(await ledger.load()).toEqual([aGenesis, anObservation(1)]);
  });

  it('that refuses the push: nothing counts as appended, and the message has its words', async () => {
    const url = await aRemote();
    const ledger = aLedger({ url });
    await ledger.load();
    const hook = join(remote, 'hooks/pre-receive');
    await writeFile(hook, '#!/bin/sh\necho "refs/varve is protected" >&2\nexit 1\n');
    await chmod(hook, 0o755);
    await expect(ledger.append([aGenesis])).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('pre-receive hook declined'),
    });
    expect(await aLedger({ dir: join(folder, 'b.git'), url }).load()).toEqual([]);
  });

  it('that took the push without our hearing of it: the append counts', async () => {
    const url = await aRemote();
    const ledger = aLedger({ url });
    await ledger.load();
    // The hook runs after the ref has moved; killing the server's process there loses the acknowledgement.
    const hook = join(remote, 'hooks/post-update');
    await writeFile(hook, '#!/bin/sh\nkill -KILL $PPID\n');
    await chmod(hook, 0o755);
    expect(await ledger.append([aGenesis])).toMatchObject({ kind: 'appended' });
    await rm(hook);
    expect(await ledger.load()).toEqual([aGenesis]);
  });

  it('that is configured later is given the whole history', async () => {
    const first = aLedger();
    await first.load();
    await first.append([aGenesis, anObservation(1)]);
    await first.close();
    const url = await aRemote();
    await aLedger({ url }).load();
    expect(await aLedger({ dir: join(folder, 'b.git'), url }).load()).toEqual([aGenesis, anObservation(1)]);
  });

  it('that was put back from an old copy is brought up to what was acknowledged', async () => {
    const url = await aRemote();
    const ledger = aLedger({ url });
    await ledger.load();
    await ledger.append([aGenesis]);
    await ledger.append([anObservation(1)]);
    await git.ok(['update-ref', ledgerRef, `${ledgerRef}~1`], { cwd: remote });
    expect(await ledger.load()).toEqual([aGenesis, anObservation(1)]);
    expect(await aLedger({ dir: join(folder, 'b.git'), url }).load()).toEqual([aGenesis, anObservation(1)]);
  });

  it("that holds another Varve's history is refused, and neither side is touched", async () => {
    const url = await aRemote();
    const theirs = aLedger({ dir: join(folder, 'theirs.git'), url });
    await theirs.load();
    await theirs.append([aGenesis]);
    const ours = aLedger();
    await ours.load();
    await ours.append([{ kind: 'genesis', at: 1, owner: 'ours' }]);
    await ours.close();
    await expect(aLedger({ url }).load()).rejects.toMatchObject({
      code: 'LEDGER_BROKEN',
      message: expect.stringContaining('gone different ways'),
    });
    expect(await theirs.load()).toEqual([aGenesis]);
  });
});

describe('a damaged ledger', () => {
  /** Puts a commit with this content on top, as Varve would have written it. */
  async function addContent(content: string, trailers?: (blob: string) => string): Promise<string> {
    const blob = await git.ok(['hash-object', '-w', '--stdin'], { cwd: dir, input: content });
    const tree = await git.ok(['mktree'], { cwd: dir, input: `100644 blob ${blob}\tx.jsonl\n` });
    const message = `by hand\n\n${trailers?.(blob) ?? `Facts: ${blob}\nFormat: 1\n`}`;
    const person = ['-c', 'user.name=a', '-c', 'user.email=a@b'];
    const args = ['commit-tree', '-p', ledgerRef, '-F', '-', tree];
    const commit = await git.ok([...person, ...args], { cwd: dir, input: message });
    await git.ok(['update-ref', ledgerRef, commit], { cwd: dir });
    return commit;
  }

  beforeEach(async () => {
    const ledger = aLedger();
    await ledger.load();
    await ledger.append([aGenesis]);
    await ledger.close();
  });

  it('names the commit and the line that cannot be read', async () => {
    const commit = await addContent(`${JSON.stringify(anObservation(1))}\n{"kind":"epoch"\n`);
    await expect(aLedger().load()).rejects.toMatchObject({
      code: 'LEDGER_BROKEN',
      disposition: 'stalled',
      message: expect.stringContaining(`commit ${commit}, line 2`),
    });
  });

  it('names the field that is wrong', async () => {
    await addContent('{"kind":"epoch","at":1,"epoch":-1,"leader":"a"}\n');
    await expect(aLedger().load()).rejects.toMatchObject({ message: expect.stringContaining('epoch') });
  });

  it.each([
    ['a kind of fact that is not known', '{"kind":"eclipse","at":1}\n'],
    ['a field that is not known', '{"kind":"epoch","at":1,"epoch":2,"leader":"a","moon":true}\n'],
  ])('asks for an upgrade when it has %s', async (_, content) => {
    await addContent(content);
    await expect(aLedger().load()).rejects.toMatchObject({
      code: 'LEDGER_BROKEN',
      message: expect.stringContaining('newer version'),
      hint: expect.stringContaining('upgrade'),
    });
  });

  it('asks for an upgrade when its format is newer', async () => {
    await addContent('{}\n', (blob) => `Facts: ${blob}\nFormat: 2\n`);
    await expect(aLedger().load()).rejects.toMatchObject({
      message: expect.stringContaining('newer version'),
    });
  });

  it('is noticed when a commit was not written by Varve', async () => {
    await addContent('{}\n', () => 'hello\n');
    await expect(aLedger().load()).rejects.toMatchObject({
      message: expect.stringContaining('not written by Varve'),
    });
  });

  it('is noticed when an object is missing or was changed', async () => {
    const ledger = aLedger();
    await ledger.load();
    await ledger.append([anObservation(1)]);
    await ledger.close();
    const line = await git.ok(['log', '-1', '--format=%B', ledgerRef], { cwd: dir });
    const blob = /Facts: (\S+)/.exec(line)?.[1] ?? '';
    const file = join(dir, 'objects', blob.slice(0, 2), blob.slice(2));
    const other = await git.ok(['hash-object', '-w', '--stdin'], { cwd: dir, input: '{}\n' });
    const otherFile = join(dir, 'objects', other.slice(0, 2), other.slice(2));
    await rename(otherFile, file);
    await expect(aLedger().load()).rejects.toMatchObject({ code: 'LEDGER_BROKEN' });
    await opened.at(-1)?.close();
    await rm(file);
    await expect(aLedger().load()).rejects.toMatchObject({
      code: 'LEDGER_BROKEN',
      message: expect.stringContaining('missing'),
    });
  });
});

describe('for people', () => {
  it('reads well in git log, whatever text is in the facts', async () => {
    const ledger = aLedger();
    await ledger.load();
    await ledger.append([aGenesis]);
    await ledger.append([anObservation(12), anIntent(12), anIntent(13, web2)]);
    await ledger.append([anOutcome(12)]);
    await ledger.append([
      {
        kind: 'hold',
        at: 1,
        scope: { kind: 'host', host: web2 },
        by: 'ada',
        reason: 'Facts: x\nFormat: 9',
        until: undefined,
      },
    ]);
    const subjects = await git.ok(['log', '--reverse', '--format=%s', ledgerRef], { cwd: dir });
    expect(subjects.split('\n')).toEqual([
      'a new ledger',
      'observation 12 at abababa; activate observation 12 (web1); activate observation 13 (web2)',
      'observation 12 rolled-back (web1)',
      'hold (web2)',
    ]);
    expect(await ledger.load()).toHaveLength(6);
  });

  it('is laid out by days, one file for each commit', async () => {
    const ledger = aLedger();
    await ledger.load();
    for (let n = 1; n <= 3; n += 1) await ledger.append([anObservation(n)]);
    const files = (await git.ok(['ls-tree', '-r', '--name-only', ledgerRef], { cwd: dir })).split('\n');
    expect(files.map((file) => file.replace(/^\d{4}\/\d\d\/\d\d\//, ''))).toEqual([
      '1.jsonl',
      '2.jsonl',
      '3.jsonl',
    ]);
    expect(await git.ok(['fsck', '--strict'], { cwd: dir })).toBe('');
    expect((await readdir(dir)).filter((name) => name.startsWith('fast_import'))).toEqual([]);
  });
});
