import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  DiffView,
  FleetHistory,
  HostHistory,
  LogView,
  Shown,
} from '../../../shared/contracts/api-history.ts';
import { RollbackDone } from '../../../shared/contracts/api-commands.ts';
import { HostStatus, PlanView, Status, Why } from '../../../shared/contracts/api.ts';
import { varve } from '../../support/cli-process.ts';
import { type FakeController, startFakeController, testTokens } from '../../support/fake-controller.ts';
import { aHost, aStatus, revisions, withGates } from '../../support/fake-fleet.ts';

let controller: FakeController;
let url: string;
beforeEach(async () => {
  ({ controller, url } = await startFakeController());
  controller.logs.write('d000001', 'building \u001b[2Jquietly');
  controller.logs.end('d000001');
});
afterEach(() => controller.server.close());

describe('for people', () => {
  test('status shows the worst host first, and what to do', async () => {
    controller.backend.state = aStatus({
      hosts: [
        aHost('web1'),
        aHost('db1', {
          sync: 'Stalled',
          health: 'Degraded',
          verdict: 'stalled',
          failure: {
            code: 'BUILD_FAILED',
            disposition: 'stalled',
            message: 'no such attribute',
            hint: 'commit a fix',
          },
        }),
      ],
    });
    const { code, stdout } = await varve(['status'], { url });
    expect(code).toBe(0);
    const lines = stdout.split('\n');
    const row = (host: string): number =>
      lines.findIndex((line) => /^\S\s/.test(line) && line.includes(` ${host} `));
    expect(row('db1')).toBeGreaterThan(0);
    expect(row('db1')).toBeLessThan(row('web1'));
    expect(stdout).toContain('2 hosts: 1 Stalled, 1 Synced');
    expect(stdout).toContain('commit a fix');
    expect(stdout).toContain('varve why db1');
    expect(stdout).not.toContain('\u001b');
  });

  test('status says that the source is failing, and why', async () => {
    controller.backend.state = aStatus({
      source: {
        state: 'failing',
        repository: 'ssh://git@forge.example/fleet.git',
        ref: 'main',
        failure: {
          code: 'SOURCE_AUTH_FAILED',
          disposition: 'transient',
          message: 'the forge refused the key',
          hint: 'renew it',
        },
      },
    });
    const { code, stdout } = await varve(['status', '--exit-code'], { url });
    expect(code).toBe(7);
    expect(stdout).toMatch(
      /source is failing; hosts keep what they have[\s\S]+SOURCE_AUTH_FAILED the forge refused the key[\s\S]+renew it/,
    );
  });

  test.each([
    [['plan'], /web1\s+in-sync/],
    [
      ['why', 'web1'],
      /web1 in-sync: runs what Git says[\s\S]+in-sync: it is Synced and Healthy[\s\S]+because observation 2/,
    ],
    [
      ['status', 'web1'],
      /web1 Synced Healthy\n +now +runs what Git says\n +wave +all[\s\S]+generation 2, 2222222222/,
    ],
    [['history'], /2222222222\s+1 deployed, 2 unchanged/],
    [['history', 'web1'], /rolled-back[\s\S]+CONFIRM_TIMEOUT[\s\S]+ada +hold +fleet +\d{4}-.+nobody is here/],
    [['show', 'd000001'], /deployment d000001[\s\S]+nothing to build or push/],
    [['show', revisions.new], /revision 2{40}[\s\S]+web2\s+unchanged/],
    [['show', '2222222'], /revision 2{40}/],
    [['logs', 'd000001'], /building \[2Jquietly/],
    [['logs', 'd000001', '-f'], /building \[2Jquietly/],
    [['diff', 'web1', '1111111', '2222222'], /~\s+openssl\s+\+19\.5 KiB\s+3\.0\.13 → 3\.0\.14/],
    [['wait', '--timeout', '5s'], /converged after/],
    [['wait', '--revision', revisions.new, '--timeout', '5s'], /converged after/],
  ])('%j shows what it should', async (args, expected) => {
    const { code, stdout, stderr } = await varve(args, { url });
    expect(stderr).toBe('');
    expect(stdout).toMatch(expected);
    expect(code).toBe(0);
  });
});

describe('for programs', () => {
  const Done = z.looseObject({ at: z.number() });
  test.each<[readonly string[], z.ZodType]>([
    [['status'], Status],
    [['plan'], PlanView],
    [['why', 'web1'], Why],
    [['status', 'web1'], HostStatus],
    [['history'], FleetHistory],
    [['history', 'web1'], HostHistory],
    [['show', 'd000001'], Shown],
    [['show', revisions.new], Shown],
    [['logs', 'd000001'], LogView],
    [['diff', 'web1', revisions.old, revisions.new], DiffView],
    [['sync'], Done],
    [['retry'], Done],
    [['adopt', 'web1'], Done],
    [['hold', 'web1', '--reason', 'tests'], Done],
    [['release', 'web1'], Done],
    [['suspend', '--reason', 'tests'], Done],
    [['resume'], Done],
    [['override', 'web1', '--reason', 'tests', '--for', '1h'], Done],
    [['rollback', 'web1', '--reason', 'tests'], RollbackDone],
    [['revert', revisions.new], Done],
    [['wait', '--timeout', '5s'], z.looseObject({ kind: z.literal('converged') })],
    [
      ['doctor'],
      z.looseObject({ healthy: z.boolean(), findings: z.array(z.looseObject({ what: z.string() })) }),
    ],
    [['validate', '.'], z.looseObject({ valid: z.boolean() })],
  ])('%j -o json prints one document and nothing else', async (args, schema) => {
    const { stdout } = await varve([...args, '-o', 'json'], { url });
    expect(schema.safeParse(JSON.parse(stdout)).error).toBeUndefined();
  });

  test.each([
    [['statsu', '-o', 'json'], /unknown command 'statsu'/],
    [['hold', 'web1', '--output=json'], /required option '-r, --reason <reason>'/],
    [['-o', 'json'], /no command/],
  ])('%j: an error of usage is JSON too', async (args, message) => {
    const { code, stdout, stderr } = await varve(args, { url });
    expect([code, stdout]).toEqual([2, '']);
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'INVALID_INPUT', message: expect.stringMatching(message) },
    });
  });

  test('an error is JSON too', async () => {
    const { code, stdout, stderr } = await varve(['why', 'nowhere', '-o', 'json'], { url });
    expect([code, stdout]).toEqual([5, '']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });
});

describe('doctor', () => {
  test('has the hosts probed, and says what is wrong with them, with exit code 1', async () => {
    controller.backend.state = aStatus({
      hosts: [
        aHost('web1', { freeBytes: 500_000_000, nixVersion: '2.18.1' }),
        aHost('db1', {
          sync: 'OutOfSync',
          health: 'Unreachable',
          verdict: 'unreachable',
          failure: {
            code: 'HOST_AUTH_FAILED',
            disposition: 'stalled',
            message: 'it accepts none of the keys',
            hint: 'add the public key for the deploy user',
          },
        }),
      ],
    });
    const before = Date.now();
    const { code, stdout } = await varve(['doctor'], { url });
    expect(code).toBe(1);
    expect(controller.backend.state.hosts[0]?.probeAskedAt).toBeGreaterThanOrEqual(before);
    expect(stdout).toMatch(
      /✗ web1 +only 477 MiB \(500000000 bytes\) are free[\s\S]+→ on the host: nix-collect/,
    );
    expect(stdout).toMatch(/✗ db1 +HOST_AUTH_FAILED it accepts none[\s\S]+→ add the public key/);
    expect(stdout).toMatch(/\d+ things? to put right\n$/);
    expect(stdout).not.toContain('\u001b');
  });

  test('judges by what is known where the caller may only read', async () => {
    await controller.server.close();
    ({ controller, url } = await startFakeController({ loopbackWithoutToken: false }));
    const { stdout } = await varve(['doctor'], { url, env: { VARVE_TOKEN: testTokens.reader } });
    expect(stdout).toMatch(/○ probes +hosts cannot be asked anew, what follows is what was last known/);
    expect(stdout).toMatch(/✓ web1 +reached/);
  });

  test('says that no controller answers, and goes on with this machine', async () => {
    const { code, stdout } = await varve(['doctor'], { url: 'http://127.0.0.1:9' });
    expect(code).toBe(1);
    expect(stdout).toMatch(/✓ node [\s\S]+✗ http:\/\/127\.0\.0\.1:9 +no controller answers[\s\S]+varve up/);
  });
});

describe('what is asked for', () => {
  test.each([
    [['sync'], 'sync command by local:tess'],
    [['retry'], 'retry * by local:tess'],
    [['retry', 'web1'], 'retry web1 by local:tess'],
    [['adopt', 'web1'], 'adopt web1 false by local:tess'],
    [['adopt', 'web1', '--takeover'], 'adopt web1 true by local:tess'],
    [['hold', 'web1', '-r', 'because of tests'], 'hold web1 because of tests undefined by local:tess'],
    [
      ['hold', 'routers', '-r', 'tests', '--until', '2126-11-27T18:00Z'],
      `hold routers tests ${Date.UTC(2126, 10, 27, 18)} by local:tess`,
    ],
    [['release', 'web1'], 'release web1 by local:tess'],
    [['release', 'fleet'], 'release fleet by local:tess'],
    [['suspend', '-r', 'tests'], 'suspend tests by local:tess'],
    [['resume'], 'resume by local:tess'],
    [
      ['override', 'fleet', '-r', 'tests', '--until', '2126-11-27T18:00Z'],
      `override fleet tests ${Date.UTC(2126, 10, 27, 18)} by local:tess`,
    ],
    [['approve'], 'approve wave all 2 by local:tess'],
    [['approve', 'routers'], 'approve group routers 2 by local:tess'],
    [['rollback', 'web1', '-r', 'tests'], 'rollback web1 undefined tests undefined false by local:tess'],
    [['rollback', 'web1', '--to', '0', '-r', 'tests'], 'rollback web1 0 tests undefined false by local:tess'],
    [['revert', '2222222222'], `revert ${revisions.new} by local:tess`],
  ])('%j reaches the controller', async (args, asked) => {
    controller.backend.state = withGates;
    expect((await varve(args, { url })).code).toBe(0);
    expect(controller.backend.asked).toEqual([asked]);
  });

  test('sync --wait waits for a look that began after it', async () => {
    const looked = setInterval(() => {
      const now = Date.now();
      controller.backend.state = aStatus({ source: { ...controller.backend.state.source, lastLookAt: now } });
    }, 50);
    const { code, stdout } = await varve(['sync', '--wait', '--timeout', '20s'], { url });
    clearInterval(looked);
    expect(stdout).toMatch(/converged/);
    expect(code).toBe(0);
  });
});

describe('sync --wait', () => {
  /** A look that begins now and ends so. */
  function looks(end: Partial<Status['source']>): void {
    controller.backend.state = aStatus({
      source: { ...controller.backend.state.source, lastLookAt: Date.now(), ...end },
    });
  }

  test('ends with the reason, and 1, where the look fails', async () => {
    const failing = setInterval(
      () =>
        looks({
          state: 'failing',
          failure: {
            code: 'SOURCE_UNREACHABLE',
            disposition: 'transient',
            message: 'forge.example does not answer',
            hint: 'is it up?',
          },
        }),
      50,
    );
    const { code, stderr } = await varve(['sync', '--wait', '--timeout', '20s'], { url });
    clearInterval(failing);
    expect(stderr).toMatch(/SOURCE_UNREACHABLE forge\.example does not answer\n.*is it up\?/);
    expect(code).toBe(1);
  });

  test('does not take the fleet of before for what the look has found', async () => {
    const found = setInterval(() => looks({ revision: revisions.old }), 50);
    const { code, stderr } = await varve(['sync', '--wait', '--timeout', '1s'], { url });
    clearInterval(found);
    expect(stderr).toMatch(/still waiting for: what was found to be judged/);
    expect(code).toBe(3);
  });
});

describe('validate', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-validate-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('says where the error is', async () => {
    await writeFile(join(folder, 'varve.yaml'), 'hosts:\n  web1:\n    adress: web1.example\n');
    const { code, stdout } = await varve(['validate', folder]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^varve\.yaml:3:5: .*adress.*address/m);
  });

  test('lists the hosts of a right one', async () => {
    await writeFile(join(folder, 'varve.yaml'), 'hosts:\n  web1:\n    address: web1.example\n');
    const { code, stdout } = await varve(['validate', folder]);
    expect(stdout).toMatch(/1 host from nixosConfigurations[\s\S]+root@web1\.example:22/);
    expect(code).toBe(0);
  });

  test('says which hosts are in which wave', async () => {
    const waves = 'rollout: { waves: [{ name: canary, hosts: [web2] }] }\n';
    await writeFile(join(folder, 'varve.yaml'), `${waves}hosts: { web1: , web2: }\n`);
    const { stdout } = await varve(['validate', folder]);
    expect(stdout).toMatch(/^canary .*\bweb2$/m);
    expect(stdout).toMatch(/^rest .*\bweb1$/m);
    const json = await varve(['validate', folder, '-o', 'json']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      rollout: { waves: [{ name: 'canary' }, { name: 'rest' }] },
      hosts: [{ wave: 'rest' }, { wave: 'canary' }],
    });
  });

  test('refuses a folder that is not there', async () => {
    expect((await varve(['validate', join(folder, 'gone')])).code).toBe(2);
  });
});

test('a rollback whose revert is refused ends with 6, and says that the roll back stands', async () => {
  const { code, stdout } = await varve(['rollback', 'web1', '-r', 'tests', '--revert'], { url });
  expect(stdout).toMatch(/goes back to generation 1[\s\S]+the roll back stands\n +CONFLICT the same lines/);
  expect(code).toBe(6);
});

test('approve says what it approves, and which there are where it is not clear', async () => {
  controller.backend.state = withGates;
  const approved = await varve(['approve'], { url });
  expect(approved.stderr).toMatch(/wave all: 2222222222 web1: a newer page \(Ada\), 2 hosts wait/);
  expect(approved.stdout).toMatch(/wave all is approved/);
  const misspelt = await varve(['approve', 'router'], { url });
  expect([misspelt.code, misspelt.stderr]).toEqual([5, expect.stringMatching(/did you mean routers\?/)]);
  controller.backend.state = aStatus({
    gates: withGates.gates.map((gate) => ({ ...gate, waiting: 1 })),
  });
  const several = await varve(['approve'], { url });
  expect([several.code, several.stderr]).toEqual([
    2,
    expect.stringMatching(/wave all \(1 host waits\), group routers \(1 host waits\)/),
  ]);
});
