import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ServerSentEvent, readEvents } from '../../../cli/event-reader.ts';
import { LogLine } from '../../../shared/contracts/api-history.ts';
import { eventually } from '../../support/eventually.ts';
import { type FakeController, startFakeController } from '../../support/fake-controller.ts';
import { revisions } from '../../support/fake-fleet.ts';

let controller: FakeController;
let url: string;
let stop: AbortController;
beforeEach(async () => {
  stop = new AbortController();
  ({ controller, url } = await startFakeController({ pingMs: 50 }));
});
afterEach(async () => {
  stop.abort();
  await controller.server.close();
});

/** Collects the events of a stream, as they come. */
async function follow(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}${path}`, { headers, signal: stop.signal });
  const seen: ServerSentEvent[] = [];
  const state = { response, seen, ended: false };
  void (async () => {
    try {
      if (response.body !== null) for await (const event of readEvents(response.body)) seen.push(event);
    } catch {
      // Cut off: `ended` says so.
    }
    state.ended = true;
  })();
  return state;
}

const leading = { kind: 'leader', leading: true } as const;

describe('events', () => {
  test('come as they happen, to every reader', async () => {
    const one = await follow('/api/v1/events');
    const two = await follow('/api/v1/events');
    expect(one.response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    controller.events.publish(leading);
    for (const reader of [one, two]) {
      const [event] = await eventually(() => reader.seen.length === 1 && reader.seen, {
        what: 'the event',
        deadlineMs: 5_000,
      });
      expect(event).toMatchObject({ id: 'life1-1', name: 'leader' });
      expect(JSON.parse(event!.data)).toMatchObject({ id: 'life1-1', happening: leading });
    }
  });

  test('that were missed come after a reconnect, each once', async () => {
    for (let n = 0; n < 5; n += 1) controller.events.publish(leading);
    const reader = await follow('/api/v1/events', { 'last-event-id': 'life1-2' });
    await eventually(() => reader.seen.length === 3, { what: 'three events', deadlineMs: 5_000 });
    expect(reader.seen.map((event) => event.id)).toEqual(['life1-3', 'life1-4', 'life1-5']);
  });

  test.each(['life0-3', 'life1-99', 'nonsense'])(
    'after an id that is not known (%s), a reset comes first',
    async (id) => {
      controller.events.publish(leading);
      const reader = await follow('/api/v1/events', { 'last-event-id': id });
      await eventually(() => reader.seen[0]?.name === 'reset', { what: 'the reset', deadlineMs: 5_000 });
    },
  );

  test('that are too long ago are replaced by a reset', async () => {
    for (let n = 0; n < 60; n += 1) controller.events.publish(leading);
    const reader = await follow('/api/v1/events', { 'last-event-id': 'life1-2' });
    await eventually(() => reader.seen[0]?.name === 'reset', { what: 'the reset', deadlineMs: 5_000 });
  });

  test('an idle stream says that it lives', async () => {
    let text = '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.write('GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await eventually(() => text.split(': ping').length > 2, { what: 'two pings', deadlineMs: 5_000 });
    socket.destroy();
  });

  test('a server that closes ends its streams at once', async () => {
    const reader = await follow('/api/v1/events');
    const before = performance.now();
    await controller.server.close();
    expect(performance.now() - before).toBeLessThan(2_000);
    await eventually(() => reader.ended, { what: 'the end of the stream', deadlineMs: 5_000 });
  });
});

describe('the log of a deployment', () => {
  const path = '/api/v1/deployments/d000001/log';

  test('is followed until the deployment has ended', async () => {
    controller.logs.write('d000001', 'building');
    const reader = await follow(`${path}?follow`);
    controller.logs.write('d000001', 'pushing');
    await eventually(() => reader.seen.length === 2, { what: 'two lines', deadlineMs: 5_000 });
    controller.logs.write('d000001', 'done');
    controller.logs.end('d000001');
    controller.events.publish({
      kind: 'deployment',
      deployment: 'd000001',
      host: 'web1',
      phase: 'succeeded',
      revision: 'f'.repeat(40),
      reason: 'as wanted',
    });
    await eventually(() => reader.ended, { what: 'the end', deadlineMs: 5_000 });
    expect(reader.seen.map((event) => event.name)).toEqual(['line', 'line', 'line', 'end']);
    expect(reader.seen.slice(0, 3).map((event) => LogLine.parse(JSON.parse(event.data)).line)).toEqual([
      'building',
      'pushing',
      'done',
    ]);
  });

  test('goes on after the line that was seen last', async () => {
    for (const line of ['one', 'two', 'three']) controller.logs.write('d000001', line);
    controller.logs.end('d000001');
    const reader = await follow(`${path}?follow`, { 'last-event-id': '2' });
    await eventually(() => reader.ended, { what: 'the end', deadlineMs: 5_000 });
    expect(reader.seen.map((event) => event.id)).toEqual(['3', '3']);
  });

  test('is one document without follow', async () => {
    controller.logs.write('d000001', 'building');
    const answer = await fetch(`${url}${path}`);
    expect(await answer.json()).toMatchObject({
      deployment: 'd000001',
      complete: false,
      lines: [{ id: '1', line: 'building' }],
    });
  });

  test.each([
    ['d000009', 404],
    ['../../x', 404],
    ['--option', 400],
  ])('of %s is answered %d', async (id, status) => {
    expect((await fetch(`${url}/api/v1/deployments/${id}/log?follow`)).status).toBe(status);
  });
});

describe('over a real socket', () => {
  test('a webhook that says it is too big is refused before it is sent', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sending = request(`${url}/webhooks/generic/default`, {
        method: 'POST',
        headers: { 'content-length': String(1024 ** 3), 'x-signature': `sha256=${'0'.repeat(64)}` },
      });
      sending.on('response', (answer) => resolve(answer.statusCode));
      sending.on('error', reject);
      sending.flushHeaders();
    });
    expect(status).toBe(413);
  });

  test('a webhook without a length is cut off at 5 MiB', async () => {
    const before = process.memoryUsage().rss;
    let sent = 0;
    const status = await new Promise<number | undefined>((resolve) => {
      const sending = request(`${url}/webhooks/generic/default`, {
        method: 'POST',
        headers: { 'transfer-encoding': 'chunked', 'x-signature': `sha256=${'0'.repeat(64)}` },
      });
      const chunk = Buffer.alloc(256 * 1024, 0x20);
      let answered = false;
      sending.on('response', (answer) => {
        answered = true;
        resolve(answer.statusCode);
      });
      // Who still sends when the connection is closed may be told of that before it has read the answer.
      sending.on('error', () => resolve(undefined));
      const send = (left: number): void => {
        if (left === 0 || answered) return;
        sending.write(chunk, (failure) => {
          if (failure !== null && failure !== undefined) return;
          sent += 1;
          send(left - 1);
        });
      };
      send(400);
    });
    expect([413, undefined]).toContain(status);
    expect(sent).toBeLessThan(400);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });

  test('what the backend says beyond the contract is not told', async () => {
    const [first, ...rest] = controller.backend.state.hosts;
    const leaking = { ...first!, password: 'hunter2' };
    controller.backend.state = { ...controller.backend.state, hosts: [leaking, ...rest] };
    const answer = await fetch(`${url}/api/v1/status`);
    expect(answer.status).toBe(200);
    expect(await answer.text()).not.toContain('hunter2');
  });

  test('what breaks inside is told without its text, and logged with it', async () => {
    controller.backend.breakNext = new Error('password=hunter2');
    const answer = await fetch(`${url}/api/v1/status`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('hunter2');
    expect(controller.logged.some((line) => line.includes('request failed'))).toBe(true);
  });

  test('a standby answers reads, and commands with the leader’s address', async () => {
    controller.backend.lead = { kind: 'standby', leader: 'http://leader.example:7420' };
    expect((await fetch(`${url}/api/v1/status`)).status).toBe(200);
    const answer = await fetch(`${url}/api/v1/sync`, { method: 'POST' });
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      error: { code: 'NOT_LEADER', details: { leader: 'http://leader.example:7420' } },
    });
    expect(controller.backend.asked).toEqual([]);
  });

  test('health needs no right, and readiness says what is missing', async () => {
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    controller.backend.ready = false;
    const answer = await fetch(`${url}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ ok: false, reasons: ['Redis does not answer'] });
  });

  test('the API describes itself', async () => {
    const answer = await fetch(`${url}/api/v1/openapi.json`);
    const document = z
      .object({ openapi: z.string(), paths: z.record(z.string(), z.unknown()) })
      .parse(await answer.json());
    expect(document.openapi).toMatch(/^3\.1/);
    expect(Object.keys(document.paths)).toContain('/api/v1/hosts/{host}/why');
    expect(
      Object.keys(document.paths).some((path) => path.includes('internal') || path.includes('webhook')),
    ).toBe(false);
    expect(JSON.stringify(document.paths['/api/v1/status'])).toContain('"hosts"');
  });

  test('a tree is given to whoever has the internal token', async () => {
    const tree = '3'.repeat(40);
    expect((await fetch(`${url}/internal/trees/${tree}`)).status).toBe(401);
    const answer = await fetch(`${url}/internal/trees/${tree}`, {
      headers: { authorization: 'Bearer internal-token-of-the-test' },
    });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('PACK');
  });

  test.each([
    `/api/v1/hosts/${encodeURIComponent('../etc')}/why`,
    `/api/v1/hosts/${encodeURIComponent('--option')}/why`,
    `/api/v1/hosts/${encodeURIComponent('web1\nweb2')}/history`,
    `/api/v1/revisions/${encodeURIComponent('HEAD; rm -rf /')}`,
    `/api/v1/revisions/main`,
    `/api/v1/hosts/web1/diff?from=--output=x&to=${revisions.new}`,
    `/api/v1/history?limit=0`,
    `/api/v1/history?limit=1e9`,
  ])('%s is refused as input', async (path) => {
    const answer = await fetch(`${url}${path}`);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: 'INVALID_INPUT' } });
  });
});
