import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LogView } from '../../shared/contracts/api-history.ts';
import type { HostStatus } from '../../shared/contracts/api.ts';
import { eventually } from '../support/eventually.ts';
import {
  activationsOn,
  countingActivations,
  expectDesiredSystem,
  expectEveryIntentToHaveOneOutcome,
} from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { startPrivateRedis, type PrivateRedis } from '../support/redis.ts';

const hosts = ['web1', 'web2', 'batch1'];
const verdicts = { web1: 'in-sync', web2: 'held', batch1: 'stalled' };

/** One story: a host that moves, one that a person holds, one whose system has failed before. */
describe('a Redis that is killed and comes back empty', () => {
  let redis: PrivateRedis;
  let fleet: Fleet;
  beforeAll(async () => {
    redis = await startPrivateRedis();
    fleet = await startFleet({
      hosts,
      redis: redis.address,
      edits: await countingActivations(),
      workerLostAfterSeconds: 3,
    });
    const { varve } = fleet;
    await varve.settle(fleet.first);
    const held = await varve.post('/api/v1/hold', { scope: 'web2', reason: 'a talk is being given from it' });
    if (held.status !== 200) throw new Error(`not held: ${JSON.stringify(held.body)}`);
    await fleet.repo.commit('Break batch1', {
      'hosts/batch1.nix': '{ roles, ... }: { faults.switch = 2; }\n',
    });
    const revision = await fleet.change('hosts/web2.nix', 'hello from web2', 'something else');
    await varve.settle(revision, isSettled);
    await expectEveryIntentToHaveOneOutcome(fleet);
  });
  afterAll(async () => {
    await fleet.close();
    await redis.close();
  });

  function isSettled({ host, verdict }: HostStatus): boolean {
    return Object.entries(verdicts).some(([name, wanted]) => name === host && wanted === verdict);
  }

  async function activations(): Promise<readonly number[]> {
    return Promise.all(hosts.map((name) => activationsOn(fleet.host(name))));
  }

  async function lose(): Promise<void> {
    await redis.down();
    await redis.upEmpty();
  }

  /** Waits for a leadership that began after the loss, and until it has judged every host. */
  async function rebuilt(epoch: number, revision: string): Promise<void> {
    await eventually(async () => ((await fleet.varve.status()).leader.epoch ?? 0) > epoch, {
      what: 'a new leadership',
      deadlineMs: 60_000,
    });
    await fleet.varve.settle(revision, isSettled);
  }

  async function epoch(): Promise<number> {
    return (await fleet.varve.status()).leader.epoch ?? 0;
  }

  it('costs nothing when nothing is under way: all is known again, and nothing is activated', async () => {
    const before = await activations();
    const known = await fleet.varve.status();
    await lose();
    await rebuilt(known.leader.epoch ?? 0, await fleet.repo.head());
    expect(await activations()).toEqual(before);
    const now = await fleet.varve.status();
    expect(now.owner).toBe(known.owner);
    expect(now.observation?.n).toBe(known.observation?.n);
    const told = (name: string, { hosts: all }: typeof now): HostStatus | undefined =>
      all.find(({ host }) => host === name);
    expect(told('web2', now)?.hold).toEqual(told('web2', known)?.hold);
    expect(told('batch1', now)?.failure).toEqual(told('batch1', known)?.failure);
    expect(told('batch1', now)?.failure?.code).toBe('ACTIVATION_FAILED');
  });

  it('while a system is being built: the host gets it, once, and nobody else is touched', async () => {
    const [web1 = 0, ...others] = await activations();
    const began = await epoch();
    const gate = join(fleet.dir, 'gate');
    const packages = await fleet.repo.read('packages/default.nix');
    const text = await fleet.repo.read('hosts/web1.nix');
    const slow = `slow = mkPackage { name = "slow"; script = "echo building; until [ -e ${gate} ]; do sleep 0.1; done; mkdir -p $out"; };`;
    const revision = await fleet.commit('Something that takes its time to be built', {
      'packages/default.nix': packages.replace('  greeter = ', `  ${slow}\n  greeter = `),
      'hosts/web1.nix': text
        .replace('roles,', 'packages, roles,')
        .replace(/\}\s*$/, '  packages = [ packages.slow ];\n}\n'),
    });
    await eventually(
      async () => {
        const { deployment } = await fleet.varve.host('web1');
        if (deployment === undefined) return false;
        const { lines } = await fleet.varve.get(`/api/v1/deployments/${deployment.id}/log`, LogView);
        return lines.some(({ line }) => line.includes('building'));
      },
      { what: 'the build runs', deadlineMs: 60_000, everyMs: 50 },
    );
    expect((await fleet.varve.host('web1')).deployment?.phase).toBe('delivering');
    await lose();
    await writeFile(gate, '');
    await rebuilt(began, revision);
    await expectDesiredSystem(fleet, 'web1');
    expect(await activations()).toEqual([web1 + 1, ...others]);
    await expectEveryIntentToHaveOneOutcome(fleet);
  });

  it('while a host is switching: it goes on, is confirmed, and is not activated again', async () => {
    const [web1 = 0, ...others] = await activations();
    const began = await epoch();
    const text = await fleet.repo.read('hosts/web1.nix');
    const revision = await fleet.commit('A slow switch', {
      'hosts/web1.nix': text.replace(/\}\s*$/, '  activation.slow = "sleep 4";\n}\n'),
    });
    await eventually(async () => (await fleet.varve.host('web1')).deployment?.phase === 'activating', {
      what: 'the activation',
      deadlineMs: 60_000,
      everyMs: 50,
    });
    await lose();
    await rebuilt(began, revision);
    await expectDesiredSystem(fleet, 'web1');
    expect(await activations()).toEqual([web1 + 1, ...others]);
    const outcomes = await expectEveryIntentToHaveOneOutcome(fleet);
    expect(outcomes.at(-1)).toMatchObject({ phase: 'succeeded', aim: { host: 'web1', revision } });
  });

  it('and with it the controller and the worker: the same', async () => {
    const { varve } = fleet;
    const before = await activations();
    const began = await epoch();
    await Promise.all([varve.controller.kill(), varve.worker.kill()]);
    await lose();
    await Promise.all([varve.controller.start(), varve.worker.start()]);
    await rebuilt(began, await fleet.repo.head());
    expect(await activations()).toEqual(before);
    await expectEveryIntentToHaveOneOutcome(fleet);
  });
});
