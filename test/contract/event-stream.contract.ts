import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseDeploymentId } from '../../shared/domain/names.ts';
import type { EventStream, Happening, StreamedEvent } from '../../shared/platform/ports/event-stream.ts';
import { eventually } from '../support/eventually.ts';
import { web1 } from './samples.ts';

/** A stream for one test: empty, shared by everyone who opens it, keeping 100 events. `hunter2` is a secret in it. */
export interface EventRig {
  open(): Promise<EventStream>;
  down(): Promise<void>;
  upEmpty(): Promise<void>;
  close(): Promise<void>;
}

function happening(n: number): Happening {
  return { kind: 'phase', at: n, text: `event ${n}` };
}

/** What every EventStream does. */
export function eventStreamContract(name: string, make: () => Promise<EventRig>): void {
  describe(`the event stream: ${name}`, () => {
    let rig: EventRig;
    let writer: EventStream;
    let reader: EventStream;
    beforeEach(async () => {
      rig = await make();
      writer = await rig.open();
      reader = await rig.open();
    });
    afterEach(async () => {
      await writer.close();
      await reader.close();
      await rig.close();
    });

    const texts = (events: readonly StreamedEvent[]) => events.map((event) => event.text);

    test('an empty one has nothing, and no newest', async () => {
      expect(await reader.read(undefined, 10)).toEqual([]);
      expect(await reader.newest()).toBeUndefined();
    });

    test('events are read whole, in order, page by page', async () => {
      const whole: Happening = {
        kind: 'phase',
        at: 1,
        host: web1,
        deployment: parseDeploymentId('d000001'),
        text: 'web1 is confirming',
      };
      writer.append(whole);
      writer.append(happening(2));
      writer.append(happening(3));
      await writer.flush();
      const [first, second] = await reader.read(undefined, 2);
      expect(first).toEqual({ ...whole, id: first?.id });
      expect(second).toEqual({ ...happening(2), id: second?.id });
      const rest = await reader.read(second?.id, 10);
      expect(texts(rest)).toEqual(['event 3']);
      expect(await reader.newest()).toBe(rest[0]?.id);
    });

    test('the oldest fall off; who asks after a lost one begins with the oldest there is', async () => {
      writer.append(happening(0));
      await writer.flush();
      const lost = await reader.newest();
      for (let n = 1; n <= 150; n += 1) writer.append(happening(n));
      await writer.flush();
      const events = await reader.read(lost, 1_000);
      expect(events).toHaveLength(100);
      expect(events[0]?.text).toBe('event 51');
    });

    test('secrets are not kept', async () => {
      writer.append({ kind: 'note', at: 1, text: 'hunter2' });
      await writer.flush();
      expect(JSON.stringify(await reader.read(undefined, 10))).not.toContain('hunter2');
    });

    test('who follows gets each event once, in order, also when several follow', async () => {
      for (let n = 0; n < 10; n += 1) writer.append(happening(n));
      await writer.flush();
      const all: string[] = [];
      const late: string[] = [];
      const closeAll = await reader.follow(undefined, (events) => all.push(...texts(events)));
      const closeLate = await reader.follow(await reader.newest(), (events) => late.push(...texts(events)));
      for (let n = 10; n < 60; n += 1) {
        writer.append(happening(n));
        if (n % 10 === 0) await writer.flush();
      }
      await eventually(() => all.length === 60 && late.length === 50, {
        what: 'all events',
        deadlineMs: 10_000,
      });
      expect(all).toEqual(Array.from({ length: 60 }, (_, n) => `event ${n}`));
      expect(late).toEqual(all.slice(10));
      await closeAll();
      writer.append(happening(60));
      await eventually(() => late.length === 51, { what: 'one more', deadlineMs: 10_000 });
      expect(all).toHaveLength(60);
      await closeLate();
    });

    test('what is no cursor is refused', async () => {
      const refused = { name: 'FleetError', code: 'INVALID_INPUT' };
      await expect(reader.read('newest', 1)).rejects.toMatchObject(refused);
      await expect(reader.follow('newest', () => {})).rejects.toMatchObject(refused);
    });

    test('who follows goes on after the server was lost with everything', async () => {
      const got: string[] = [];
      writer.append(happening(1));
      await writer.flush();
      const close = await reader.follow(undefined, (events) => got.push(...texts(events)));
      await rig.down();
      await rig.upEmpty();
      await eventually(
        async () => {
          writer.append(happening(2));
          await writer.flush();
          return got.includes('event 2');
        },
        { what: 'an event after the loss', deadlineMs: 10_000 },
      );
      expect(got[0]).toBe('event 1');
      await close();
    });
  });
}
