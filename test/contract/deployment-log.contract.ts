import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseDeploymentId } from '../../shared/domain/names.ts';
import type { DeploymentLog, LogPage } from '../../shared/platform/ports/deployment-log.ts';
import { eventually } from '../support/eventually.ts';

/** A log for one test: empty, shared by everyone who opens it. The word `hunter2` is a secret in it. */
export interface LogRig {
  open(): Promise<DeploymentLog>;
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

const one = parseDeploymentId('d000001');
const two = parseDeploymentId('d000002');

/** What every DeploymentLog does. */
export function deploymentLogContract(name: string, make: () => Promise<LogRig>): void {
  describe(`the deployment log: ${name}`, () => {
    let rig: LogRig;
    let worker: DeploymentLog;
    let reader: DeploymentLog;
    beforeEach(async () => {
      rig = await make();
      worker = await rig.open();
      reader = await rig.open();
    });
    afterEach(async () => {
      await worker.close();
      await reader.close();
      await rig.close();
    });

    const lines = (page: LogPage) => page.entries.map((entry) => entry.line);

    test('a deployment that nobody wrote about has an empty log', async () => {
      expect(await reader.read(one, undefined, 100)).toEqual({ entries: [], progress: undefined });
    });

    test('lines are read in the order in which they were written, each deployment’s by itself', async () => {
      for (let i = 0; i < 1_200; i += 1) worker.append(i % 3 === 0 ? two : one, `line ${i}`);
      await worker.flush();
      const page = await reader.read(one, undefined, 10_000);
      expect(lines(page)).toEqual(
        Array.from({ length: 1_200 }, (_, i) => i)
          .filter((i) => i % 3 !== 0)
          .map((i) => `line ${i}`),
      );
      expect((await reader.read(two, undefined, 10_000)).entries).toHaveLength(400);
      expect(page.entries[0]?.at).toBeGreaterThan(1_600_000_000_000);
    });

    test('lines come without being asked for', async () => {
      worker.append(one, 'soon');
      const page = await eventually(
        async () => {
          const read = await reader.read(one, undefined, 10);
          return read.entries.length > 0 && read;
        },
        { what: 'a line that nobody flushed', deadlineMs: 5_000 },
      );
      expect(lines(page)).toEqual(['soon']);
    });

    test('a reader pages on with the id that it read last', async () => {
      for (let i = 0; i < 5; i += 1) worker.append(one, `line ${i}`);
      await worker.flush();
      const first = await reader.read(one, undefined, 2);
      expect(lines(first)).toEqual(['line 0', 'line 1']);
      const second = await reader.read(one, first.entries.at(-1)?.id, 2);
      expect(lines(second)).toEqual(['line 2', 'line 3']);
      const third = await reader.read(one, second.entries.at(-1)?.id, 2);
      expect(lines(third)).toEqual(['line 4']);
      expect(lines(await reader.read(one, third.entries.at(-1)?.id, 2))).toEqual([]);
    });

    test.each(['', 'x', '1', '1-2-3', '-', '+', '(1-1', '1-1\n'])('%j is not a cursor', async (cursor) => {
      const refused = { name: 'FleetError', code: 'INVALID_INPUT' };
      await expect(reader.read(one, cursor, 10)).rejects.toMatchObject(refused);
      await expect(reader.follow(one, cursor, () => {})).rejects.toMatchObject(refused);
    });

    test('the newest 10,000 lines stay', async () => {
      for (let part = 0; part < 21; part += 1) {
        for (let i = 0; i < 500; i += 1) worker.append(one, `line ${part * 500 + i}`);
        await worker.flush();
      }
      const { entries } = await reader.read(one, undefined, 20_000);
      expect(entries).toHaveLength(10_000);
      expect(entries[0]?.line).toBe('line 500');
      expect(entries.at(-1)?.line).toBe('line 10499');
    });

    test('a long line is cut at 4 KiB, between characters', async () => {
      worker.append(one, 'x'.repeat(4_096));
      worker.append(one, 'x'.repeat(4_097));
      worker.append(one, 'ä€😀'.repeat(2_000));
      await worker.flush();
      const [fits, cut, wide] = lines(await reader.read(one, undefined, 10));
      expect(fits).toBe('x'.repeat(4_096));
      expect(cut).toBe(`${'x'.repeat(4_093)}…`);
      expect(Buffer.byteLength(wide ?? '')).toBeLessThanOrEqual(4_096);
      expect(wide).toMatch(/^(ä€😀)+(ä€?)?…$/u);
    });

    test('a text of several lines is several lines; what would move a terminal is left out', async () => {
      worker.append(one, 'first\r\nsecond\n');
      worker.append(one, '\u001b[31;1mred\u001b[0m \u001b]0;title\u0007bell\u0007 tab\there');
      worker.append(one, '10 %\r55 %\r100 %');
      await worker.flush();
      expect(lines(await reader.read(one, undefined, 10))).toEqual([
        'first',
        'second',
        'red bell tab\there',
        '100 %',
      ]);
    });

    test('secrets are not kept, not even where the line is cut', async () => {
      worker.append(one, 'the password is hunter2');
      worker.append(one, `${'x'.repeat(4_088)}hunter2`);
      worker.progress(one, { what: 'with hunter2', done: 1, total: 2 });
      await worker.flush();
      const page = await reader.read(one, undefined, 10);
      expect(JSON.stringify(page)).not.toContain('hunter');
      expect(lines(page)[0]).toContain('the password is ');
    });

    test('the last progress is what is read', async () => {
      worker.progress(one, { what: 'pushing', done: 1, total: 10 });
      worker.progress(one, { what: 'pushing', done: 7, total: 10 });
      await worker.flush();
      const page = await reader.read(one, undefined, 10);
      expect(page.progress).toMatchObject({ what: 'pushing', done: 7, total: 10 });
      expect(page.progress?.at).toBeGreaterThan(1_600_000_000_000);
      expect((await reader.read(two, undefined, 10)).progress).toBeUndefined();
    });

    test('who follows gets what is there, then each line once, in order, and the progress', async () => {
      for (let i = 0; i < 700; i += 1) worker.append(one, `line ${i}`);
      await worker.flush();
      const pages: LogPage[] = [];
      const close = await reader.follow(one, undefined, (page) => pages.push(page));
      for (let i = 700; i < 1_000; i += 1) {
        worker.append(one, `line ${i}`);
        worker.append(two, 'of another one');
        if (i % 50 === 0) await worker.flush();
      }
      worker.progress(one, { what: 'pushing', done: 10, total: 10 });
      await eventually(() => pages.at(-1)?.progress?.done === 10 && pages.flatMap(lines).length === 1_000, {
        what: 'a thousand lines and the progress',
        deadlineMs: 10_000,
      });
      expect(pages.flatMap(lines)).toEqual(Array.from({ length: 1_000 }, (_, i) => `line ${i}`));
      await close();
      const seen = pages.length;
      worker.append(one, 'after the end');
      await worker.flush();
      expect(lines(await reader.read(one, undefined, 2_000))).toHaveLength(1_001);
      expect(pages).toHaveLength(seen);
    });

    test('who follows from a cursor gets only what comes after it', async () => {
      for (let i = 0; i < 4; i += 1) worker.append(one, `line ${i}`);
      await worker.flush();
      const { entries } = await reader.read(one, undefined, 2);
      const got: string[] = [];
      const close = await reader.follow(one, entries.at(-1)?.id, (page) => got.push(...lines(page)));
      expect(got).toEqual(['line 2', 'line 3']);
      await close();
    });

    test('while the server is down writers do not wait or fail; readers are told', async () => {
      const got: string[] = [];
      worker.append(one, 'before');
      await worker.flush();
      const close = await reader.follow(one, undefined, (page) => got.push(...lines(page)));
      await rig.down();
      // What is sent in the very moment of the loss may be dropped; from here on both know.
      for (const log of [worker, reader]) {
        await eventually(
          () =>
            log.read(one, undefined, 1).then(
              () => false,
              () => true,
            ),
          { what: 'a log that has noticed the loss', deadlineMs: 10_000 },
        );
      }
      const began = performance.now();
      worker.append(one, 'meanwhile');
      worker.progress(one, { what: 'pushing', done: 1, total: 2 });
      await worker.flush();
      expect(performance.now() - began).toBeLessThan(2_000);
      const unavailable = { name: 'FleetError', code: 'STORE_UNAVAILABLE' };
      await expect(reader.read(one, undefined, 10)).rejects.toMatchObject(unavailable);
      await expect(reader.follow(two, undefined, () => {})).rejects.toMatchObject(unavailable);
      await rig.up();
      // Few enough to be kept.
      await eventually(() => got.includes('meanwhile'), { what: 'the line', deadlineMs: 10_000 });
      worker.append(one, 'after');
      await eventually(() => got.includes('after'), { what: 'the line after', deadlineMs: 10_000 });
      await close();
    });

    test('one that was closed takes nothing more', async () => {
      worker.append(one, 'last');
      await worker.close();
      worker.append(one, 'too late');
      await worker.flush();
      expect(lines(await reader.read(one, undefined, 10))).toEqual(['last']);
    });
  });
}
