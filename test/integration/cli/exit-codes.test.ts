import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { varve } from '../../support/cli-process.ts';
import { type FakeController, startFakeController, testTokens } from '../../support/fake-controller.ts';
import { aHost, aStatus, revisions } from '../../support/fake-fleet.ts';

let controller: FakeController;
let url: string;
beforeEach(async () => {
  ({ controller, url } = await startFakeController());
});
afterEach(() => controller.server.close());

describe('exit codes', () => {
  test.each([
    ['an unknown command', ['statsu'], 2],
    ['no command', [], 2],
    ['an unknown option', ['status', '--colour'], 2],
    ['a missing argument', ['why'], 2],
    ['a bad host name', ['why', '../etc'], 2],
    ['a host name that is an option', ['why', '--', '--option'], 2],
    ['a host name with a newline', ['why', 'web1\nweb2'], 2],
    ['a bad revision', ['revert', 'HEAD~1'], 2],
    ['a bad deployment', ['logs', '../../x'], 2],
    ['what is neither deployment nor revision', ['show', 'web1'], 2],
    ['a bad format', ['status', '-o', 'yaml'], 2],
    ['a bad time', ['wait', '--timeout', 'soon'], 2],
    ['a hold without a reason', ['hold', 'web1'], 2],
    ['a hold until what is past', ['hold', 'web1', '-r', 'x', '--until', '2020-01-01T00:00'], 2],
    ['a hold with two ends', ['hold', 'web1', '-r', 'x', '--for', '1h', '--until', '2126-01-01T00:00'], 2],
    ['an override without an end', ['override', 'web1', '-r', 'x'], 2],
    ['a rollback to what is no number', ['rollback', 'web1', '-r', 'x', '--to', 'newest'], 2],
    ['a group that is not there', ['hold', 'nowhere', '-r', 'x'], 5],
    ['an approval where none is needed', ['approve'], 5],
    ['a bad URL', ['--url', 'ftp://x', 'status'], 2],
    ['a host that is not there', ['why', 'nowhere'], 5],
    ['the status of a host that is not there', ['status', 'nowhere'], 5],
    ['a deployment that is not there', ['show', 'd999999'], 5],
    ['a revision that is not there', ['show', '9999999'], 5],
    ['a revision that is not reached', ['wait', '--revision', '9'.repeat(40), '--timeout', '1s'], 3],
    ['a revision that was passed', ['wait', '--revision', revisions.old, '--timeout', '1s'], 3],
    ['help', ['--help'], 0],
    ['help of a command', ['status', '--help'], 0],
    ['the version', ['--version'], 0],
  ])('%s ends with the right one', async (_what, args, code) => {
    // Of a passed revision the controller knows an observation.
    const show = controller.backend.showRevision.bind(controller.backend);
    controller.backend.showRevision = (revision) =>
      revision === revisions.old
        ? show(controller.backend.state.observation!.revision as typeof revision)
        : show(revision);
    const result = await varve(args, { url });
    expect(result.code, result.stdout + result.stderr).toBe(code);
    expect(controller.backend.asked).toEqual([]);
  });

  test('4, with what to do, where no controller answers', async () => {
    const { code, stderr } = await varve(['status'], { url: 'http://127.0.0.1:9' });
    expect(code).toBe(4);
    expect(stderr).toMatch(/CONTROLLER_UNREACHABLE[\s\S]+varve up/);
  });

  test('6 where the right is missing, and 0 with a token that has it', async () => {
    await controller.server.close();
    ({ controller, url } = await startFakeController({ loopbackWithoutToken: false }));
    const without = await varve(['status'], { url });
    expect([without.code, without.stderr]).toEqual([6, expect.stringMatching(/VARVE_TOKEN/)]);
    expect((await varve(['status'], { url, env: { VARVE_TOKEN: testTokens.reader } })).code).toBe(0);
    expect((await varve(['sync'], { url, env: { VARVE_TOKEN: testTokens.reader } })).code).toBe(6);
    expect((await varve(['sync'], { url, env: { VARVE_TOKEN: testTokens.operator } })).code).toBe(0);
    expect(controller.backend.asked).toEqual(['sync command by omar']);
  });

  test('7 where nothing moves any more', async () => {
    controller.backend.state = aStatus({
      hosts: [aHost('db1', { sync: 'Stalled', verdict: 'stalled', health: 'Degraded' })],
    });
    const { code, stdout } = await varve(['wait', '--timeout', '20s'], { url });
    expect([code, stdout]).toEqual([7, expect.stringMatching(/stalled: 1 host \(db1\)[\s\S]+varve why db1/)]);
  });

  test('8 with the leader’s address from a standby', async () => {
    controller.backend.lead = { kind: 'standby', leader: 'http://leader.example:7420' };
    const { code, stderr } = await varve(['sync'], { url });
    expect([code, stderr]).toEqual([8, expect.stringMatching(/ask http:\/\/leader\.example:7420/)]);
  });

  test('1 where something else answers than a controller', async () => {
    const other = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const { code, stderr } = await varve(['status'], {
      url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    });
    other.close();
    expect([code, stderr]).toEqual([1, expect.stringMatching(/not as a controller/)]);
  });
});
