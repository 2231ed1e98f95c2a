import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FakeController, createFakeController, testTokens } from '../../../support/fake-controller.ts';

let controller: FakeController;
beforeEach(async () => {
  controller = await createFakeController({ loopbackWithoutToken: false });
});
afterEach(() => controller.server.close());

const post = (path: string, payload: object, token: string = testTokens.operator) =>
  controller.server.app.inject({
    method: 'POST',
    url: `/api/v1${path}`,
    headers: { host: '127.0.0.1', authorization: `Bearer ${token}` },
    payload,
  });

const later = Date.now() + 3_600_000;

describe('what people say over the API', () => {
  test.each([
    ['/hold', { scope: 'fleet', reason: ' tests ' }, 'hold fleet tests undefined by omar'],
    ['/hold', { scope: 'web1', reason: 'x', until: later }, `hold web1 x ${later} by omar`],
    ['/release', { scope: 'web1' }, 'release web1 by omar'],
    ['/suspend', { reason: 'x' }, 'suspend x by omar'],
    ['/resume', {}, 'resume by omar'],
    ['/override', { scope: 'fleet', reason: 'x', until: later }, `override fleet x ${later} by omar`],
    ['/approve', { wave: 'all', observation: 2 }, 'approve wave all 2 by omar'],
    ['/approve', { group: 'routers' }, 'approve group routers undefined by omar'],
    ['/hosts/web1/rollback', { reason: 'x', toGeneration: 0 }, 'rollback web1 0 x undefined false by omar'],
  ])('POST %s %j reaches the fleet', async (path, body, asked) => {
    const answer = await post(path, body);
    expect(answer.statusCode, answer.body).toBe(200);
    expect(controller.backend.asked).toEqual([asked]);
  });

  test.each([
    ['a hold that would end in the past', '/hold', { scope: 'web1', reason: 'x', until: 1 }],
    ['an override that would end in the past', '/override', { scope: 'web1', reason: 'x', until: 1 }],
    ['a roll back that would end in the past', '/hosts/web1/rollback', { reason: 'x', until: 1 }],
    ['a hold without a reason', '/hold', { scope: 'web1', reason: ' ' }],
    ['a suspension without a reason', '/suspend', {}],
    ['an override without an end', '/override', { scope: 'web1', reason: 'x' }],
    ['an approval of nothing', '/approve', {}],
    ['an approval of two at once', '/approve', { wave: 'all', group: 'routers' }],
    [
      'a roll back to two systems',
      '/hosts/web1/rollback',
      { reason: 'x', toGeneration: 1, toplevel: '/nix/store/x' },
    ],
    ['a roll back to a generation below zero', '/hosts/web1/rollback', { reason: 'x', toGeneration: -1 }],
    ['what nobody asked for', '/hold', { scope: 'web1', reason: 'x', force: true }],
  ])('%s is refused', async (_what, path, body) => {
    const answer = await post(path, body);
    expect([answer.statusCode, answer.json()]).toMatchObject([400, { error: { code: 'INVALID_INPUT' } }]);
    expect(controller.backend.asked).toEqual([]);
  });

  test('a roll back that makes a commit as well takes the right that a revert takes', async () => {
    const body = { reason: 'x', revert: true };
    expect((await post('/hosts/web1/rollback', body)).statusCode).toBe(403);
    expect(controller.backend.asked).toEqual([]);
    const answer = await post('/hosts/web1/rollback', body, testTokens.admin);
    expect([answer.statusCode, answer.json()]).toMatchObject([200, { revertFailure: { code: 'CONFLICT' } }]);
  });

  test('a standby carries none of it out, and says who leads', async () => {
    controller.backend.lead = { kind: 'standby', leader: 'http://leader.example:7420' };
    for (const path of ['/hold', '/release', '/suspend', '/resume', '/override', '/approve']) {
      const body = path === '/approve' ? { wave: 'all' } : { scope: 'web1', reason: 'x', until: later };
      const allowed = path === '/release' ? { scope: 'web1' } : path === '/suspend' ? { reason: 'x' } : body;
      const answer = await post(path, allowed);
      expect([answer.statusCode, answer.json()], path).toMatchObject([
        503,
        { error: { code: 'NOT_LEADER', details: { leader: 'http://leader.example:7420' } } },
      ]);
    }
    expect(controller.backend.asked).toEqual([]);
  });
});
