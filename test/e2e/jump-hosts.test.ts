import { createConnection } from 'node:net';

import type { HostStatus } from '../../shared/contracts/api.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { activationsOn, countingActivations, expectDesiredSystem } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';

/** One story on one fleet: web1 can be reached from gate only, and commits reach it all the same. */
let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ hosts: ['gate', 'web1'], edits: await countingActivations() });
  await fleet.varve.settle(fleet.first);
});
afterAll(() => fleet.close());

const placeOf = (host: string): string => `root@${fleet.host(host).address}:22`;
const settledThroughGate = ({ host, verdict, address }: HostStatus): boolean =>
  verdict === 'in-sync' &&
  address === (host === 'gate' ? placeOf('gate') : `${placeOf(host)} through ${placeOf('gate')}`);

/** web1 answers nobody on this machine any more. */
async function shutOutTheWorker(): Promise<void> {
  const route = ['ip', 'route', 'add', 'blackhole', `${fleet.lab.gateway}/32`];
  expect(await fleet.host('web1').exec(route)).toMatchObject({ code: 0 });
}

function answersDirectly(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: fleet.host('web1').address, port: 22, timeout: 500 });
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => finish(true));
    socket.once('timeout', () => finish(false));
    socket.once('error', () => finish(false));
  });
}

it('a host that gets behind a jump host is found there without an activation', async () => {
  const before = await activationsOn(fleet.host('web1'));
  const manifest = await fleet.repo.read('varve.yaml');
  const line = /^defaults: \{ /m;
  expect(manifest).toMatch(line);
  const revision = await fleet.commit('All but gate itself are behind it', {
    'varve.yaml': manifest.replace(line, '$&jump: gate, '),
  });
  await fleet.varve.settle(revision);
  await shutOutTheWorker();
  expect(await answersDirectly()).toBe(false);
  await fleet.varve.post('/api/v1/probe');
  await fleet.varve.settle(revision, settledThroughGate);
  expect(await activationsOn(fleet.host('web1'))).toBe(before);
});

it('a commit to both is pushed, activated and confirmed through it, and so is its revert', async () => {
  const before = await fleet.systems('web1');
  const activations = await activationsOn(fleet.host('web1'));
  const edits = ['hosts/gate.nix', 'hosts/web1.nix'].map(async (path) => {
    const text = await fleet.repo.read(path);
    expect(text).toContain('hello from');
    return [path, text.replace('hello from', 'good morning from')] as const;
  });
  const revision = await fleet.commit('Greet otherwise', Object.fromEntries(await Promise.all(edits)));
  await fleet.varve.settle(revision, settledThroughGate);
  await expectDesiredSystem(fleet, 'gate');
  await expectDesiredSystem(fleet, 'web1');
  expect((await fleet.systems('web1')).current).not.toBe(before.current);

  await fleet.varve.settle(await fleet.revert(revision), settledThroughGate);
  expect((await fleet.systems('web1')).current).toBe(before.current);
  expect(await activationsOn(fleet.host('web1'))).toBe(activations + 2);
});
