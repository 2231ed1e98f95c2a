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

  it('rolls a host back for a person also while the newest tree, which would list the hosts, does not evaluate', async () => {
    const before = await fleet.systems('web1');
    await fleet.varve.settle(await fleet.change('hosts/web1.nix', 'hello from web1', 'hello, on fire'));
    const whole = await fleet.repo.read('hosts/batch1.nix');
    const broken = await fleet.commit('A typing error', { 'hosts/batch1.nix': `${whole}} oops` });
    await fleet.varve.settle(broken, ({ failure }) => failure?.code === 'EVALUATION_FAILED');
    const { status } = await fleet.varve.post('/api/v1/hosts/web1/rollback', { reason: 'on fire' });
    expect(status).toBe(200);
    await fleet.varve.settle(broken, ({ health }) => health === 'Held', { hosts: ['web1'] });
    expect((await fleet.systems('web1')).bootDefault).toBe(before.current);
    const mended = await fleet.commit('Mend it', { 'hosts/batch1.nix': whole });
    expect((await fleet.varve.post('/api/v1/release', { scope: 'web1' })).status).toBe(200);
    await fleet.varve.settle(mended);
    expect((await fleet.systems('web1')).current).not.toBe(before.current);
  });

  it('takes a configuration that is removed for an orphan', async () => {
    const revision = await fleet.commit('batch1 retires', { 'hosts/batch1.nix': null });
    const { hosts } = await fleet.varve.settle(revision, ({ host, verdict }) =>
      host === 'batch1' ? verdict === 'orphaned' : verdict === 'in-sync',
    );
    expect(hosts).toHaveLength(2);
  });
});
