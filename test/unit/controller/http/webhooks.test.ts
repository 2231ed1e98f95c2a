import { createHmac } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FakeController, createFakeController } from '../../../support/fake-controller.ts';
import { eventually } from '../../../support/eventually.ts';

let controller: FakeController;
beforeEach(async () => {
  controller = await createFakeController({ webhooksPerMinute: 100_000 });
});
afterEach(() => controller.server.close());

const push = JSON.stringify({
  ref: 'refs/heads/main',
  after: '2222222222222222222222222222222222222222',
  repository: { clone_url: 'https://forge.example/fleet.git', ssh_url: 'git@forge.example:fleet.git' },
});

function sign(body: string | Buffer, secret = 'new secret'): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

function github(body: string | Buffer, headers: Record<string, string> = {}, source = 'default') {
  return controller.server.app.inject({
    method: 'POST',
    url: `/webhooks/github/${source}`,
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-hub-signature-256': sign(body),
      ...headers,
    },
    payload: body,
  });
}

function generic(body: string | Buffer, headers: Record<string, string> = {}) {
  return controller.server.app.inject({
    method: 'POST',
    url: '/webhooks/generic/default',
    headers: { 'x-signature': sign(body), ...headers },
    payload: body,
  });
}

describe('a webhook of GitHub', () => {
  test('that is signed and for the tracked branch leads to one look', async () => {
    const answer = await github(push);
    expect(answer.statusCode).toBe(202);
    expect(answer.json()).toEqual({ result: 'accepted', reason: 'looking at the repository now' });
    expect(controller.backend.asked).toEqual(['sync webhook by webhook:default']);
  });

  test.each(['refs/heads/testing/web1', 'testing/web1'])('for %s leads to one look as well', async (ref) => {
    const body = JSON.stringify({ ...JSON.parse(push), ref });
    expect((await github(body)).json().result).toBe('accepted');
    expect(controller.backend.asked).toEqual(['sync webhook by webhook:default']);
  });

  test('may be signed with the old secret while it is being changed', async () => {
    expect((await github(push, { 'x-hub-signature-256': sign(push, 'old secret') })).statusCode).toBe(202);
  });

  test.each([
    ['a wrong secret', { 'x-hub-signature-256': sign(push, 'guessed') }],
    ['no hex', { 'x-hub-signature-256': 'sha256=xyz' }],
    ['SHA-1', { 'x-hub-signature-256': `sha1=${'0'.repeat(40)}` }],
    ['an empty header', { 'x-hub-signature-256': '' }],
    ['a signature of other bytes', { 'x-hub-signature-256': sign(`${push} `) }],
    ['too many digits', { 'x-hub-signature-256': `${sign(push)}00` }],
  ])('with %s is refused and leads to no work', async (_what, headers) => {
    expect((await github(push, headers)).statusCode).toBe(401);
    expect(controller.backend.asked).toEqual([]);
  });

  test('is refused alike for a source that is not there', async () => {
    const wrong = await github(push, { 'x-hub-signature-256': sign(push, 'guessed') });
    const absent = await github(push, {}, 'elsewhere');
    expect(absent.statusCode).toBe(401);
    expect(absent.body).toBe(wrong.body);
  });

  test('answers a ping', async () => {
    const answer = await github('{"zen":"keep it simple"}', { 'x-github-event': 'ping' });
    expect(answer.statusCode).toBe(202);
    expect(answer.json().result).toBe('pong');
    expect(controller.backend.asked).toEqual([]);
  });

  test.each([
    ['another branch', { ref: 'refs/heads/feature' }, /only main is tracked/],
    ['a tag', { ref: 'refs/tags/main' }, /only main is tracked/],
    ['a tag called like a testing branch', { ref: 'refs/tags/testing/web1' }, /only main is tracked/],
    ['a branch called almost like it', { ref: 'refs/heads/my/testing/web1' }, /only main is tracked/],
    ['our own ledger', { ref: 'refs/varve/ledger' }, /only main is tracked/],
    [
      'another repository',
      { repository: { clone_url: 'https://forge.example/other.git' } },
      /another repository/,
    ],
    [
      'a repository that looks like a pattern',
      { repository: { clone_url: 'https://forge.example/.*' } },
      /another repository/,
    ],
  ])('for %s is answered 202 and ignored', async (_what, change, reason) => {
    const answer = await github(JSON.stringify({ ...JSON.parse(push), ...change }));
    expect(answer.statusCode).toBe(202);
    expect(answer.json().result).toBe('ignored');
    expect(answer.json().reason).toMatch(reason);
    expect(controller.backend.asked).toEqual([]);
  });

  test('about something else than a push is ignored', async () => {
    const answer = await github('{"action":"opened"}', { 'x-github-event': 'issues' });
    expect(answer.statusCode).toBe(202);
    expect(answer.json().result).toBe('ignored');
  });

  test('as a form is read too', async () => {
    const body = `payload=${encodeURIComponent(push)}`;
    const answer = await github(body, {
      'content-type': 'application/x-www-form-urlencoded',
      'x-hub-signature-256': sign(body),
    });
    expect(answer.json().result).toBe('accepted');
  });

  test('that is repeated costs no second look', async () => {
    const id = { 'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958' };
    const results = [];
    for (let n = 0; n < 5; n += 1) results.push((await github(push, id)).json().result);
    expect(results).toEqual(['accepted', 'duplicate', 'duplicate', 'duplicate', 'duplicate']);
    expect(controller.backend.asked).toHaveLength(1);
  });

  test('whose look could not be asked for is answered 500 without the text of the error', async () => {
    controller.backend.breakNext = new Error('password=hunter2');
    const answer = await github(push);
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('hunter2');
  });
});

describe('a generic webhook', () => {
  test.each(['{}', '{"ref":"main"}', '{"ref":"refs/heads/main","repository":"git@forge.example:fleet"}'])(
    '%s leads to a look',
    async (body) => {
      expect((await generic(body)).json().result).toBe('accepted');
      expect(controller.backend.asked).toHaveLength(1);
    },
  );

  test('takes its signature from X-Signature-256 first, and does not fall back', async () => {
    expect((await generic('{}', { 'x-signature-256': sign('{}') })).statusCode).toBe(202);
    expect((await generic('{}', { 'x-signature-256': sign('{}', 'guessed') })).statusCode).toBe(401);
  });

  test('without any signature is refused before its body is read', async () => {
    const answer = await controller.server.app.inject({
      method: 'POST',
      url: '/webhooks/generic/default',
      payload: '{}',
    });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers.connection).toBe('close');
  });
});

describe('a body that is not what it should be', () => {
  test.each([
    ['nothing', ''],
    ['not JSON', '{"ref":'],
    ['no object', '[]'],
    ['null', 'null'],
    ['a repository of null', '{"ref":"refs/heads/main","repository":null}'],
    ['a repository of text', '{"ref":"refs/heads/main","repository":"x"}'],
    ['a ref that is a number', '{"ref":1,"repository":{}}'],
    ['a URL that is an object', '{"ref":"refs/heads/main","repository":{"clone_url":{"href":"x"}}}'],
    ['no ref', '{"repository":{}}'],
    ['very deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ])('%s, well signed, is answered 400', async (_what, body) => {
    expect((await github(body)).statusCode).toBe(400);
    expect(controller.backend.asked).toEqual([]);
  });

  test('bytes that are no text are answered 400', async () => {
    expect((await generic(Buffer.from([0xff, 0xfe, 0x00]))).statusCode).toBe(400);
  });

  test('more than 5 MiB are answered 413', async () => {
    const body = Buffer.alloc(5 * 1024 * 1024 + 1, 0x20);
    expect((await generic(body)).statusCode).toBe(413);
  });

  test('never brings the server down, whatever is sent', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), fc.string()), fc.boolean(), async (body, toGithub) => {
        const answer = toGithub ? await github(body) : await generic(body);
        expect([202, 400]).toContain(answer.statusCode);
      }),
      { numRuns: 200 },
    );
    expect((await github(push)).statusCode).toBe(202);
  });

  test('never gets in with a signature that is not ours', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), async (body, signature) => {
        const answer = await generic(body, {
          'x-signature': signature.replaceAll(/[^\x20-\x7e]/g, '') || 'x',
        });
        expect(answer.statusCode).toBe(401);
      }),
      { numRuns: 100 },
    );
  });
});

test('an address that sends too much is told to wait', async () => {
  await controller.server.close();
  controller = await createFakeController({ webhooksPerMinute: 3 });
  const statuses = [];
  for (let n = 0; n < 5; n += 1) statuses.push((await generic('{}')).statusCode);
  expect(statuses).toEqual([202, 202, 202, 429, 429]);
});

test('bodies that strangers send are read a few at a time', async () => {
  const url = new URL(await controller.server.listen({ address: '127.0.0.1', port: 0 }));
  const open: Socket[] = [];
  /** A delivery of which only a part comes; resolves with the status if it is answered all the same. */
  const begin = (): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(url.port), '127.0.0.1');
      open.push(socket);
      socket.once('error', reject);
      socket.once('data', (data) => resolve(data.toString('latin1').split(' ')[1]));
      socket.write(
        'POST /webhooks/github/default HTTP/1.1\r\nHost: varve.example\r\ncontent-type: application/json\r\n' +
          `x-hub-signature-256: sha256=${'0'.repeat(64)}\r\ncontent-length: 5000000\r\n\r\n{`,
      );
    });
  const answered = Promise.race(Array.from({ length: 20 }, begin));
  expect(await answered).toBe('429');
  for (const socket of open) socket.destroy();
  await eventually(async () => (await github(push)).statusCode === 202, {
    deadlineMs: 5_000,
    what: 'room for others',
  });
});
