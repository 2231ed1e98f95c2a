import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRun } from '../../shared/platform/exec.ts';
import { eventually } from '../support/eventually.ts';
import {
  activationsOn,
  countingActivations,
  expectDesiredSystem,
  expectEveryIntentToHaveOneOutcome,
} from '../support/evidence.ts';
import { patientManifest } from '../support/crash.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';
import { startPrivateRedis, type PrivateRedis } from '../support/redis.ts';
import { startVarve, type Varve } from '../support/varve.ts';

/** One story: two controllers, one worker, one host. */
describe('two controllers with one ledger remote', () => {
  let dir: string;
  let redis: PrivateRedis;
  let fleet: Fleet;
  let first: Varve;
  let second: Varve;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'varve-ledger-'));
    const ledgerRemote = join(dir, 'ledger.git');
    await createRun()(['git', 'init', '--quiet', '--bare', ledgerRemote], { deadlineMs: 30_000 });
    redis = await startPrivateRedis();
    const shared = {
      redis: redis.address,
      ledgerRemote,
      internalToken: join(dir, 'internal-token'),
      workerLostAfterSeconds: 3,
    };
    fleet = await startFleet({
      ...shared,
      hosts: ['web1'],
      manifest: patientManifest,
      edits: await countingActivations(),
    });
    first = fleet.varve;
    await first.settle(fleet.first);
    second = await startVarve({
      ...shared,
      dir: fleet.dir,
      name: 'second',
      repository: fleet.repo.remote,
      identity: fleet.lab.privateKeyPath,
      programs: ['controller'],
    });
  });
  afterAll(async () => {
    await second.close();
    await fleet.close();
    await redis.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function leads(varve: Varve): Promise<number> {
    return eventually(
      async () => {
        const { leader } = await varve.status();
        return leader.kind === 'self' && leader.epoch;
      },
      { what: 'it leads', deadlineMs: 60_000 },
    );
  }

  async function standsBy(varve: Varve, leader: Varve): Promise<void> {
    await eventually(
      async () => {
        const said = (await varve.status()).leader;
        return said.kind === 'other' && said.address === leader.url;
      },
      { what: 'it says who leads', deadlineMs: 60_000 },
    );
  }

  async function push(text: string, more = ''): Promise<string> {
    const path = 'hosts/web1.nix';
    const before = await fleet.repo.read(path);
    const plain = before.replace(/\n  activation\..*\n/g, '\n').replace(/text = "[^"]*"/, `text = "${text}"`);
    return fleet.repo.commitAndPush(text, { [path]: plain.replace(/\}\s*$/, `${more}}\n`) });
  }

  it('one leads, and the other says which', async () => {
    await leads(first);
    await standsBy(second, first);
    expect(await second.post('/api/v1/retry')).toMatchObject({
      status: 503,
      body: { error: { code: 'NOT_LEADER' } },
    });
  });

  it('when the leader is killed while a host is switching, the other one sees it through', async () => {
    const activations = await activationsOn(fleet.host('web1'));
    const revision = await push('handed over', '  activation.slow = "sleep 3";\n');
    await first.sync();
    await eventually(async () => (await first.host('web1')).deployment?.phase === 'activating', {
      what: 'the activation',
      deadlineMs: 60_000,
    });
    await first.controller.kill();
    await leads(second);
    await second.settle(revision);
    expect(await activationsOn(fleet.host('web1'))).toBe(activations + 1);
    const outcomes = await expectEveryIntentToHaveOneOutcome({ varve: second });
    expect(outcomes.filter(({ aim }) => aim.revision === revision)).toHaveLength(1);
  });

  it('the new leader deploys on, and the one that comes back stands by', async () => {
    const revision = await push('without the first');
    await second.sync();
    await second.settle(revision);
    await first.controller.start();
    await standsBy(first, second);
    await leads(second);
  });

  it('a leader that was paused leads no more when it wakes up, and starts nothing', async () => {
    const epoch = await leads(second);
    second.controller.pause();
    expect(await leads(first)).toBeGreaterThan(epoch);
    const activations = await activationsOn(fleet.host('web1'));
    const revision = await push('while the other slept');
    await first.sync();
    await first.settle(revision);
    second.controller.resume();
    await standsBy(second, first);
    await leads(first);
    await expectDesiredSystem(fleet, 'web1');
    expect(await activationsOn(fleet.host('web1'))).toBe(activations + 1);
  });

  it.each([
    ['before-ledger-commit:4', 'before it writes an intent down'],
    ['after-ledger-commit:4', 'before it queues what it has written down'],
    ['before-create:1', 'before it creates a deployment'],
    ['before-enqueue:4', 'before it queues a job'],
  ])('a leader that is paused at %s, %s, does no harm when it goes on', async (point) => {
    // The second leads, and will stop by itself on its way.
    await first.controller.stop();
    await second.controller.kill();
    await second.controller.start({ VARVE_FAULT_POINT: `stop:${point}` });
    const epoch = await leads(second);
    await first.controller.start();
    await standsBy(first, second);
    const activations = await activationsOn(fleet.host('web1'));
    const revision = await push(`paused at ${point}`);
    await second.sync();
    expect(await leads(first)).toBeGreaterThan(epoch);
    await first.settle(revision);
    const intents = (await readFacts(first.dataDir)).intents('web1').length;

    second.controller.resume();
    await standsBy(second, first);
    await leads(first);
    await first.settle(revision);
    await expectDesiredSystem(fleet, 'web1');
    expect(await activationsOn(fleet.host('web1'))).toBe(activations + 1);
    await expectEveryIntentToHaveOneOutcome({ varve: first });
    expect((await readFacts(first.dataDir)).intents('web1')).toHaveLength(intents);
  });
});

describe('two Varves with different owners on one host', () => {
  let fleet: Fleet;
  let other: Varve;
  beforeAll(async () => {
    fleet = await startFleet({ hosts: ['web1'], edits: await countingActivations() });
    await fleet.varve.settle(fleet.first);
    other = await startVarve({
      dir: fleet.dir,
      name: 'other',
      repository: fleet.repo.remote,
      identity: fleet.lab.privateKeyPath,
    });
  });
  afterAll(async () => {
    await other.close();
    await fleet.close();
  });

  it('the second is refused, says whose the host is, and changes nothing', async () => {
    const owner = (await fleet.varve.status()).owner ?? 'nobody';
    const activations = await activationsOn(fleet.host('web1'));
    const status = await other.settle(fleet.first, ({ verdict }) => verdict === 'stalled');
    expect(status.owner).not.toBe(owner);
    expect(status.hosts[0]).toMatchObject({ failure: { code: 'OWNED_BY' } });
    const { reason, advice } = await other.why('web1');
    expect(`${reason} ${advice}`).toContain(owner);
    expect(`${reason} ${advice}`).toContain('varve adopt web1 --takeover');
    expect(await activationsOn(fleet.host('web1'))).toBe(activations);
    expect((await readFacts(other.dataDir)).intents('web1')).toEqual([]);
  });

  it('a commit is deployed by the owner alone', async () => {
    const activations = await activationsOn(fleet.host('web1'));
    const revision = await fleet.change('hosts/web1.nix', 'hello from web1', 'the owner deploys');
    await other.sync();
    await fleet.varve.settle(revision);
    await other.settle(revision, ({ verdict }) => verdict === 'stalled');
    await expectDesiredSystem(fleet, 'web1');
    expect(await activationsOn(fleet.host('web1'))).toBe(activations + 1);
    expect((await readFacts(other.dataDir)).intents('web1')).toEqual([]);
  });
});
