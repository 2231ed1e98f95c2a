import { describe, expect, it } from 'vitest';
import { createWatcher, type Watcher } from '../../../../controller/reconcile/watcher.ts';
import { parseRevision, parseTree, type Revision } from '../../../../shared/domain/names.ts';
import type { Look, Source } from '../../../../shared/platform/ports/source.ts';
import { createSystemClock } from '../../../../shared/platform/system-clock.ts';
import { aFailure, aFleet, aSpec, sha } from '../../../support/builders.ts';
import { eventually } from '../../../support/eventually.ts';

function seen(name: string, descends = true): Look {
  return {
    kind: 'seen',
    testing: [],
    revision: parseRevision(sha(name)),
    tree: parseTree(sha(`t${name}`)),
    descends,
    author: 'Ada',
    subject: name,
  };
}

/** A source whose looks a test ends one by one. */
function aSource() {
  const waiting: ((look: Look) => void)[] = [];
  const manifests: Revision[] = [];
  const source: Source = {
    look: () => new Promise((resolve) => waiting.push(resolve)),
    async manifest(revision) {
      manifests.push(revision);
      return { kind: 'fleet', fleet: aFleet([aSpec('web1')]) };
    },
    pack: async () => new Uint8Array(),
  };
  let looks = 0;
  return {
    source,
    manifests,
    looks: () => looks,
    async answer(look: Look): Promise<void> {
      const end = await eventually(() => waiting.shift(), { what: 'a look', deadlineMs: 2_000, everyMs: 1 });
      looks += 1;
      end(look);
    },
    waiting: () => waiting.length,
  };
}

async function watching(
  test: (watcher: Watcher, source: ReturnType<typeof aSource>, news: () => number) => Promise<void>,
  options: {
    readonly onRewrite?: 'follow' | 'hold';
    readonly since?: Revision;
    readonly good?: () => Revision | undefined;
    readonly now?: () => number;
  } = {},
): Promise<void> {
  const fake = aSource();
  const stop = new AbortController();
  let news = 0;
  const watcher = createWatcher({
    clock: { ...createSystemClock(), ...(options.now === undefined ? {} : { now: options.now }) },
    source: fake.source,
    jitter: () => 0.5,
    pollEveryMs: 3_600_000,
    onRewrite: options.onRewrite ?? 'follow',
  });
  const end = watcher.watch(
    () => ({ newest: options.since, good: options.good?.() }),
    () => (news += 1),
    stop.signal,
  );
  await test(watcher, fake, () => news);
  stop.abort();
  if (fake.waiting() > 0) await fake.answer(seen('last'));
  await end;
}

/** How long a watcher rests after its first look, where chance says `jitter`. */
async function restAfterOneLook(jitter: number): Promise<number> {
  const fake = aSource();
  const stop = new AbortController();
  const rests: number[] = [];
  const watcher = createWatcher({
    clock: {
      now: () => 0,
      async sleep(ms) {
        rests.push(ms);
        stop.abort();
      },
    },
    source: fake.source,
    jitter: () => jitter,
    pollEveryMs: 60_000,
    onRewrite: 'follow',
  });
  const end = watcher.watch(
    () => ({ newest: undefined, good: undefined }),
    () => {},
    stop.signal,
  );
  await fake.answer(seen('a'));
  await end;
  expect(rests).toHaveLength(1);
  return rests[0] ?? Number.NaN;
}

const patience = { deadlineMs: 2_000, everyMs: 1 };

describe('the watcher', () => {
  it('looks once at the start, then only when the poll is due or a hint comes', () =>
    watching(async (watcher, source, news) => {
      await source.answer(seen('a'));
      await eventually(() => news() === 1, { what: 'news', ...patience });
      expect(source.waiting()).toBe(0);
      watcher.hint();
      await source.answer(seen('b'));
      await eventually(() => watcher.sighting()?.look.subject === 'b', { what: 'b', ...patience });
    }));

  it.each([
    { jitter: 0, rest: 54_000 },
    { jitter: 0.5, rest: 60_000 },
    { jitter: 1, rest: 66_000 },
  ])('rests for the interval ± 10 %: $rest ms of 60 s', async ({ jitter, rest }) => {
    expect(await restAfterOneLook(jitter)).toBeCloseTo(rest, 6);
  });

  it('turns any number of hints during a look into one more look', () =>
    watching(async (watcher, source, news) => {
      await eventually(() => source.waiting() === 1, { what: 'the first look', ...patience });
      for (let n = 0; n < 20; n += 1) watcher.hint();
      await source.answer(seen('a'));
      await source.answer(seen('b'));
      await eventually(() => news() === 2, { what: 'two looks', ...patience });
      expect(source.waiting()).toBe(0);
      expect(source.looks()).toBe(2);
    }));

  it('keeps what it saw while the source is failing, and says since when and why', () =>
    watching(async (watcher, source, news) => {
      await source.answer(seen('a'));
      await eventually(() => news() === 1, { what: 'news', ...patience });
      watcher.hint();
      await source.answer({ kind: 'failing', failure: aFailure({ code: 'SOURCE_UNREACHABLE' }) });
      await eventually(() => watcher.state().kind === 'failing', { what: 'failing', ...patience });
      expect(watcher.sighting()?.look.subject).toBe('a');
    }));

  it('says when the last look was begun, and the last good one, while looks fail', () => {
    let now = 1_000;
    return watching(
      async (watcher, source, news) => {
        await eventually(() => source.waiting() === 1, { what: 'the first look', ...patience });
        now = 1_500;
        await source.answer(seen('a'));
        await eventually(() => news() === 1, { what: 'news', ...patience });
        expect(watcher.state()).toMatchObject({ kind: 'ok', at: 1_000 });
        for (const at of [2_000, 3_000]) {
          now = at;
          watcher.hint();
          await eventually(() => source.waiting() === 1, { what: 'another look', ...patience });
          now += 500;
          await source.answer({ kind: 'failing', failure: aFailure({ code: 'SOURCE_UNREACHABLE' }) });
          await eventually(() => news() === at / 1_000, { what: 'news', ...patience });
          expect(watcher.state()).toMatchObject({
            kind: 'failing',
            at,
            since: 2_500,
            lastSuccessAt: 1_000,
          });
        }
      },
      { now: () => now },
    );
  });

  it('reads the manifest of what was observed before when no look succeeds', () =>
    watching(
      async (watcher, source) => {
        await source.answer({ kind: 'failing', failure: aFailure({ code: 'SOURCE_UNREACHABLE' }) });
        await eventually(() => watcher.read() !== undefined, { what: 'the manifest', ...patience });
        expect(watcher.sighting()).toBeUndefined();
        expect(source.manifests).toEqual([parseRevision(sha('before'))]);
      },
      { since: parseRevision(sha('before')) },
    ));

  it('still has the manifest of the last good observation when the newest cannot be followed', () => {
    let good: Revision | undefined;
    return watching(
      async (watcher, source, news) => {
        await source.answer(seen('a'));
        await eventually(() => news() === 1, { what: 'news', ...patience });
        expect(watcher.good()).toBeUndefined();
        good = parseRevision(sha('a'));
        for (const [n, name] of ['b', 'c'].entries()) {
          watcher.hint();
          await source.answer(seen(name));
          await eventually(() => news() === n + 2, { what: name, ...patience });
          expect(watcher.good()?.revision).toBe(good);
        }
        // It was read when it was seen.
        expect(source.manifests.filter((revision) => revision === good)).toHaveLength(1);
      },
      { good: () => good },
    );
  });

  it('reads the manifest of the last good observation after a restart, also when the newest is another', () =>
    watching(
      async (watcher, source) => {
        await source.answer(seen('broken'));
        await eventually(() => watcher.good() !== undefined, { what: 'the good one', ...patience });
        expect(watcher.good()?.revision).toBe(parseRevision(sha('good')));
        expect(watcher.read()?.revision).toBe(parseRevision(sha('broken')));
      },
      { since: parseRevision(sha('broken')), good: () => parseRevision(sha('good')) },
    ));

  it('holds a rewritten ref where that is the policy', () =>
    watching(
      async (watcher, source) => {
        await source.answer(seen('rewritten', false));
        await eventually(() => watcher.state().kind === 'failing', { what: 'held', ...patience });
        expect(watcher.state()).toMatchObject({ failure: { code: 'REPOSITORY_HELD' } });
        expect(watcher.sighting()).toBeUndefined();
        // What was observed before stands, after a restart too.
        await eventually(() => watcher.read() !== undefined, { what: 'the manifest', ...patience });
        expect(source.manifests).toEqual([parseRevision(sha('before'))]);
      },
      { onRewrite: 'hold', since: parseRevision(sha('before')) },
    ));
});
