import { connect } from 'node:net';
import fastify from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Right, allows, routeKey, routeRights } from '../../../../controller/http/authorization.ts';
import { installGuard } from '../../../../controller/http/guard.ts';
import { type FakeController, createFakeController, testTokens } from '../../../support/fake-controller.ts';

let controller: FakeController;
beforeEach(async () => {
  controller = await createFakeController({ loopbackWithoutToken: false });
});
afterEach(() => controller.server.close());

const bodies: Readonly<Record<string, object>> = {
  'POST /api/v1/hold': { scope: 'web1', reason: 'test' },
  'POST /api/v1/release': { scope: 'web1' },
  'POST /api/v1/suspend': { reason: 'test' },
  'POST /api/v1/override': { scope: 'fleet', reason: 'test', until: Date.now() + 3_600_000 },
  'POST /api/v1/approve': { wave: 'all' },
  'POST /api/v1/hosts/:host/rollback': { reason: 'test' },
  'POST /api/v1/revert': { revision: '1'.repeat(40) },
};

/** A request that is valid for every route of the table, apart from the right. */
function requestTo(key: string, headers: Record<string, string> = {}) {
  const [method, path] = key.split(' ');
  const url = path!
    .replace(':host', 'web1')
    .replace(':source', 'default')
    .replace(':tree', '3'.repeat(40))
    .replace(':id', 'd000001')
    .replace(':revision', '2'.repeat(40));
  return controller.server.app.inject({
    method: method === 'POST' ? 'POST' : 'GET',
    url: url.endsWith('/diff') ? `${url}?from=${'1'.repeat(40)}&to=${'2'.repeat(40)}` : url,
    headers: { host: '127.0.0.1', ...headers },
    ...(method === 'POST' ? { payload: bodies[key] ?? {} } : {}),
    // Streams do not end by themselves.
    signal: AbortSignal.timeout(300),
  });
}

const tokens = { read: testTokens.reader, operate: testTokens.operator, admin: testTokens.admin } as const;

describe('the table of rights', () => {
  test('holds exactly the routes that the server has', () => {
    const registered = new Set<string>();
    const lines = controller.server.app.printRoutes({ commonPrefix: false });
    for (const key of Object.keys(routeRights)) {
      const [method, path] = key.split(' ');
      if (controller.server.app.hasRoute({ method: method === 'POST' ? 'POST' : 'GET', url: path! }))
        registered.add(key);
    }
    expect([...registered].sort()).toEqual(Object.keys(routeRights).sort());
    // One method a leaf: as many methods as there are entries.
    expect(lines.match(/\((GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS)/g)?.length).toBe(registered.size);
  });

  test('refuses a route that it does not name', () => {
    const app = fastify();
    installGuard(app, { tokens: [], loopbackWithoutToken: false, internalToken: 'x', hostNames: [] });
    expect(() => app.get('/api/v1/secrets', () => 'x')).toThrow(/not in the table of rights/);
  });

  const open: readonly Right[] = ['public', 'webhook'];
  const guarded = Object.entries(routeRights).filter(([, right]) => !open.includes(right));

  test.each(guarded)('%s is refused without a token', async (key) => {
    expect((await requestTo(key)).statusCode).toBe(401);
  });

  test.each(guarded)('%s is refused with a token that nobody gave', async (key) => {
    expect((await requestTo(key, { authorization: 'Bearer guessed' })).statusCode).toBe(401);
  });

  test('only health and webhooks are open', () => {
    const paths = Object.entries(routeRights).filter(([, right]) => open.includes(right));
    expect(paths.every(([key]) => /^(GET \/(livez|readyz)|POST \/webhooks\/)/.test(key))).toBe(true);
  });

  const streams = ['GET /api/v1/events'];
  const api = guarded.filter(([key, right]) => right !== 'internal' && !streams.includes(key));
  const cases = api.flatMap(([key, right]) =>
    (['read', 'operate', 'admin'] as const).map((had) => [had, key, allows(had, right)] as const),
  );
  test.each(cases)('a token with the right "%s" at %s: let through: %s', async (had, key, through) => {
    controller.logs.write('d000001', 'a line');
    const answer = await requestTo(key, { authorization: `Bearer ${tokens[had]}` });
    if (through) expect(answer.statusCode, answer.body).toBe(200);
    else expect(answer.statusCode).toBe(403);
  });

  test('the internal token opens the tree and nothing else', async () => {
    const authorization = `Bearer ${testTokens.internal}`;
    for (const [key, right] of guarded) {
      expect((await requestTo(key, { authorization })).statusCode, key).toBe(
        right === 'internal' ? 200 : 401,
      );
    }
  });

  test('an API token does not open the tree', async () => {
    const answer = await requestTo('GET /internal/trees/:tree', {
      authorization: `Bearer ${testTokens.admin}`,
    });
    expect(answer.statusCode).toBe(401);
  });

  test('keys are method and path', () => {
    expect(routeKey('GET', '/livez')).toBe('GET /livez');
  });
});

describe('on the loopback', () => {
  beforeEach(async () => {
    await controller.server.close();
    controller = await createFakeController();
  });

  test('no token is needed, and the actor is who the program says', async () => {
    const answer = await requestTo('POST /api/v1/sync', { 'x-varve-actor': 'grace' });
    expect(answer.statusCode).toBe(200);
    expect(controller.backend.asked).toEqual(['sync command by local:grace']);
  });

  test('an actor that is no name is not written anywhere', async () => {
    await requestTo('POST /api/v1/sync', { 'x-varve-actor': 'grace\\u0000<b>' });
    expect(controller.backend.asked).toEqual(['sync command by local']);
  });

  test('a wrong token is refused rather than ignored', async () => {
    expect((await requestTo('GET /api/v1/status', { authorization: 'Bearer wrong' })).statusCode).toBe(401);
  });

  test.each(['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'])(
    'what a proxy forwards (%s) is not local',
    async (name) => {
      expect((await requestTo('GET /api/v1/status', { [name]: '203.0.113.9' })).statusCode).toBe(401);
    },
  );

  test.each(['evil.example', 'evil.example:7420', 'localhost.evil.example', 'a b', '127.0.0.1@evil.example'])(
    'a Host header of %j is refused',
    async (host) => {
      expect((await requestTo('GET /api/v1/status', { host })).statusCode).toBe(403);
    },
  );

  test('a public name is accepted with a token only: a proxy may pass it on without saying that it is one', async () => {
    const host = 'varve.example';
    expect((await requestTo('GET /api/v1/status', { host })).statusCode).toBe(401);
    const authorization = `Bearer ${testTokens.reader}`;
    expect((await requestTo('GET /api/v1/status', { host, authorization })).statusCode).toBe(200);
  });

  test('HTTP/1.0 is not local: simple proxies speak it, and say nothing of themselves', async () => {
    const url = new URL(await controller.server.listen({ address: '127.0.0.1', port: 0 }));
    const status = (version: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(Number(url.port), '127.0.0.1');
        socket.once('error', reject);
        socket.once('data', (data) => {
          socket.destroy();
          resolve(data.toString('latin1').split(' ')[1] ?? '');
        });
        socket.write(`GET /api/v1/status HTTP/${version}\r\nHost: 127.0.0.1\r\n\r\n`);
      });
    expect(await status('1.1')).toBe('200');
    expect(await status('1.0')).toBe('401');
  });

  test.each(['127.0.0.1:7420', 'localhost:7420', '[::1]:7420', 'LOCALHOST'])(
    'a Host header of %j is accepted',
    async (host) => {
      expect((await requestTo('GET /api/v1/status', { host })).statusCode).toBe(200);
    },
  );

  test.each([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://127.0.0.1:9999' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('a request of another web page (%j) is refused', async (headers) => {
    const answer = await requestTo('POST /api/v1/sync', headers);
    expect(answer.statusCode).toBe(403);
    expect(controller.backend.asked).toEqual([]);
  });

  test('a page of its own origin is let through', async () => {
    const headers = {
      host: '127.0.0.1:7420',
      origin: 'http://127.0.0.1:7420',
      'sec-fetch-site': 'same-origin',
    };
    expect((await requestTo('GET /api/v1/status', headers)).statusCode).toBe(200);
  });

  test('a form of a web page, which is not JSON, is refused', async () => {
    const answer = await controller.server.app.inject({
      method: 'POST',
      url: '/api/v1/retry',
      headers: { host: '127.0.0.1', 'content-type': 'text/plain' },
      payload: '{}',
    });
    expect(answer.statusCode).toBe(415);
  });
});

describe('a controller that trusts its own machine', () => {
  let trusting: FakeController;
  beforeEach(async () => {
    trusting = await createFakeController({ loopbackWithoutToken: true });
  });
  afterEach(() => trusting.server.close());

  /** Whatever the request says of itself, where it comes from is the connection's. */
  const statusFrom = async (remoteAddress: string, headers: Record<string, string> = {}): Promise<number> => {
    const answer = await trusting.server.app.inject({
      method: 'GET',
      url: '/api/v1/status',
      remoteAddress,
      headers: { host: '127.0.0.1', ...headers },
    });
    return answer.statusCode;
  };

  test.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])('asks nothing of %s', async (address) => {
    expect(await statusFrom(address)).toBe(200);
  });

  test.each(['203.0.113.9', '10.0.0.1', '2001:db8::1', '::ffff:203.0.113.9'])(
    'asks %s for a token, and takes one',
    async (address) => {
      expect(await statusFrom(address)).toBe(401);
      expect(await statusFrom(address, { authorization: `Bearer ${testTokens.reader}` })).toBe(200);
    },
  );
});
