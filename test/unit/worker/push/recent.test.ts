import { describe, expect, test } from 'vitest';

import { compressAhead, newestFirst } from '../../../../worker/push/ahead.ts';
import type { ArchiveKey, ArchivePiece } from '../../../../worker/push/archive.ts';
import type { Archives } from '../../../../worker/push/archives.ts';
import { rememberRecent } from '../../../../worker/push/recent-archives.ts';
import { rememberClosures } from '../../../../worker/push/recent-closures.ts';
import { parseStorePath } from '../../../../shared/domain/names.ts';
import type { PathInfo } from '../../../../worker/nix/store.ts';

const never = new AbortController().signal;

function keyOf(name: string, narSize = 1_000): ArchiveKey {
  return { path: `/nix/store/${'0'.repeat(32)}-${name}`, narHash: name, narSize };
}

/** Archives of one piece, of as many bytes as they are said to have; each reading is counted. */
function someArchives(): { readonly archives: Archives; readonly read: string[] } {
  const read: string[] = [];
  const archives: Archives = {
    async *pieces({ narHash, narSize }, signal) {
      read.push(narHash);
      if (narHash === 'broken') throw new Error('it is damaged');
      if (signal.aborted) throw new Error('aborted');
      yield { length: narSize, frame: new Uint8Array(narSize) };
    },
    has: ({ narHash }) => narHash === 'kept',
    close: async () => {},
  };
  return { archives, read };
}

async function all(pieces: AsyncIterable<ArchivePiece>): Promise<number> {
  let bytes = 0;
  for await (const { frame } of pieces) bytes += frame.byteLength;
  return bytes;
}

describe('small archives that were given lately', () => {
  test('are read once, also for those that ask at the same time', async () => {
    const { archives, read } = someArchives();
    const recent = rememberRecent(archives, 10_000);
    const given = await Promise.all([1, 2, 3].map(() => all(recent.pieces(keyOf('a'), never))));
    expect([...given, await all(recent.pieces(keyOf('a'), never))]).toEqual([1_000, 1_000, 1_000, 1_000]);
    expect(read).toEqual(['a']);
  });

  test('make room for newer ones, those first that were given longest ago', async () => {
    const { archives, read } = someArchives();
    const recent = rememberRecent(archives, 2_500);
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await all(recent.pieces(keyOf(name), never));
    expect(read).toEqual(['a', 'b', 'c', 'b']);
  });

  test('are read again after a failure, which all who asked hear of', async () => {
    const { archives, read } = someArchives();
    const recent = rememberRecent(archives, 10_000);
    const asked = [1, 2].map(() => all(recent.pieces(keyOf('broken'), never)));
    for (const one of await Promise.allSettled(asked)) expect(one.status).toBe('rejected');
    await expect(all(recent.pieces(keyOf('broken'), never))).rejects.toThrow('damaged');
    expect(read).toEqual(['broken', 'broken']);
  });

  test('are not those that are too large to be held', async () => {
    const { archives, read } = someArchives();
    const recent = rememberRecent(archives, 100_000_000);
    for (let i = 0; i < 2; i += 1) await all(recent.pieces(keyOf('large', 2_000_000), never));
    expect(read).toEqual(['large', 'large']);
  });

  test('are nothing to those who have left', async () => {
    const recent = rememberRecent(someArchives().archives, 10_000);
    const left = AbortSignal.abort();
    await expect(all(recent.pieces(keyOf('a'), left))).rejects.toMatchObject({ code: 'CANCELLED' });
    await all(recent.pieces(keyOf('a'), never));
    await expect(all(recent.pieces(keyOf('a'), left))).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('are waited for by nobody who leaves; who stays is given them, and the last one ends the reading', async () => {
    const { archives, signals, answer } = slowArchives();
    const recent = rememberRecent(archives, 10_000);
    const [first, second, last] = [new AbortController(), new AbortController(), new AbortController()];
    const given = [first, second].map(({ signal }) => all(recent.pieces(keyOf('a'), signal)));
    first.abort();
    await expect(given[0]).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    answer();
    expect(await given[1]).toBe(1_000);

    const alone = all(recent.pieces(keyOf('b'), last.signal));
    last.abort();
    await expect(alone).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });
});

/** Archives that come when they are told to, and not at all to whoever asks after that. */
function slowArchives() {
  const signals: AbortSignal[] = [];
  let answer = (): void => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const archives: Archives = {
    async *pieces({ narSize }, signal) {
      signals.push(signal);
      await (signals.length === 1 ? answered : new Promise(() => {}));
      yield { length: narSize, frame: new Uint8Array(narSize) };
    },
    has: () => false,
    close: async () => {},
  };
  return { archives, signals, answer: () => answer() };
}

function infoOf(name: string, change: Partial<PathInfo> = {}): PathInfo {
  return {
    path: parseStorePath(`/nix/store/${'0'.repeat(32)}-${name}`),
    deriver: undefined,
    narHash: name,
    references: [],
    registeredAt: 0,
    narSize: 1_000,
    ultimate: false,
    signatures: [],
    contentAddress: undefined,
    ...change,
  };
}

test('closures that are wanted for several hosts are asked for once, and again after a failure', async () => {
  const asked: string[] = [];
  let fails = true;
  const { closure } = rememberClosures({
    async closure(paths) {
      asked.push(paths.join(' '));
      if (fails) throw new Error('the store does not answer');
      return paths.map((path) => infoOf(path.slice(-1)));
    },
  });
  const [a, b] = ['a', 'b'].map((name) => infoOf(name).path);
  if (a === undefined || b === undefined) throw new Error('two paths');
  await expect(closure([a], { signal: never })).rejects.toThrow('does not answer');
  fails = false;
  await Promise.all([closure([a], { signal: never }), closure([a], { signal: never })]);
  await closure([a, b], { signal: never });
  expect(asked).toEqual([a, a, `${a} ${b}`]);
});

test('a closure is waited for by nobody who leaves; who stays is told, and the last one ends the question', async () => {
  const signals: (AbortSignal | undefined)[] = [];
  let answer = (): void => {};
  const { closure } = rememberClosures({
    closure(_, { signal }) {
      signals.push(signal);
      return new Promise((resolve) => {
        answer = () => resolve([infoOf('a')]);
      });
    },
  });
  const { path } = infoOf('a');
  const [first, second, last] = [new AbortController(), new AbortController(), new AbortController()];
  const asked = [first, second].map(({ signal }) => closure([path], { signal }));
  first.abort();
  await expect(asked[0]).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(signals.map((signal) => signal?.aborted)).toEqual([false]);
  answer();
  expect(await asked[1]).toHaveLength(1);

  const alone = closure([infoOf('b').path], { signal: last.signal });
  last.abort();
  await expect(alone).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(signals.map((signal) => signal?.aborted)).toEqual([true, true]);
});

describe('what is compressed ahead', () => {
  test('is what is not kept yet, and not too large; what fails is left to whoever sends it', async () => {
    const { archives, read } = someArchives();
    const wanted = ['a', 'kept', 'broken', 'b'].map((name) => infoOf(name));
    await compressAhead(archives, [...wanted, infoOf('huge', { narSize: 1e9 })], never);
    expect(read).toEqual(['a', 'broken', 'b']);
    await compressAhead(archives, wanted, AbortSignal.abort());
    expect(read).toHaveLength(3);
  });

  test('is the newest first, in the order in which it is sent', () => {
    const [a, b, c] = [
      infoOf('a', { registeredAt: 1 }),
      infoOf('b', { registeredAt: 2 }),
      infoOf('c', { registeredAt: 2 }),
    ];
    expect(newestFirst([a, b, c])).toEqual([b, c, a]);
  });
});
