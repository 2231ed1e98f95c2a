import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectDesiredSystem } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';

/** One story: nobody wrote a varve.yaml. */
describe('a repository without varve.yaml', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ hosts: ['web1', 'batch1'], byName: true, edits: { 'varve.yaml': null } });
  });
  afterAll(() => fleet.close());

  it('has every configuration as a host at its own name, which waits for somebody to adopt it', async () => {
    const { hosts } = await fleet.varve.settle(fleet.first, ({ verdict }) => verdict === 'unmanaged');
    expect(hosts.map(({ host, address }) => [host, address])).toEqual([
      ['batch1', 'root@batch1:22'],
      ['web1', 'root@web1:22'],
    ]);
    // What adopting would bring is shown beforehand.
    expect(hosts.every(({ current, desired }) => desired !== undefined && current !== desired)).toBe(true);
    for (const { host } of hosts) {
      expect((await fleet.varve.post(`/api/v1/hosts/${host}/adopt`)).status).toBe(200);
    }
    // The default settle time of ten seconds counts here: nothing says otherwise.
    await fleet.varve.settle(fleet.first);
    for (const { host } of hosts) await expectDesiredSystem(fleet, host);
  });

  it('is followed like any other: a commit, and its revert', async () => {
    const before = await fleet.systems('web1');
    const revision = await fleet.change('hosts/web1.nix', 'hello from web1', 'hello without a manifest');
    await fleet.varve.settle(revision);
    expect((await fleet.systems('web1')).current).not.toBe(before.current);
    await fleet.varve.settle(await fleet.revert(revision));
    expect((await fleet.systems('web1')).current).toBe(before.current);
  });

  it('takes a configuration that is removed for an orphan', async () => {
    const revision = await fleet.commit('batch1 retires', { 'hosts/batch1.nix': null });
    const { hosts } = await fleet.varve.settle(revision, ({ host, verdict }) =>
      host === 'batch1' ? verdict === 'orphaned' : verdict === 'in-sync',
    );
    expect(hosts).toHaveLength(2);
  });
});
