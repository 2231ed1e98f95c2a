import type { HostStatus } from '../../shared/contracts/api.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { activationsOn, countingActivations, expectDesiredSystem } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';

async function without(fleet: Fleet, host: string): Promise<Record<string, string>> {
  const manifest = await fleet.repo.read('varve.yaml');
  return { 'varve.yaml': manifest.replace(new RegExp(`^  ${host}: .*\n`, 'm'), '') };
}

/** One story on one fleet: hosts leave the repository, and come back. */
describe('a host that is removed from the repository', () => {
  let fleet: Fleet;
  let removal: string;
  beforeAll(async () => {
    fleet = await startFleet({ hosts: ['web1', 'batch1'], edits: await countingActivations() });
    await fleet.varve.settle(fleet.first);
  });
  afterAll(() => fleet.close());

  it('is orphaned and not touched, while the others go on', async () => {
    const before = await fleet.systems('batch1');
    const activations = await activationsOn(fleet.host('batch1'));
    removal = await fleet.commit('Retire batch1', {
      ...(await without(fleet, 'batch1')),
      'hosts/batch1.nix': null,
    });
    await fleet.varve.settle(
      removal,
      ({ host, verdict }) => verdict === (host === 'batch1' ? 'orphaned' : 'in-sync'),
    );
    const revision = await fleet.change('hosts/web1.nix', 'hello from web1', 'alone now');
    await fleet.varve.settle(revision, undefined, { hosts: ['web1'] });
    await expectDesiredSystem(fleet, 'web1');
    expect(await fleet.varve.host('batch1')).toMatchObject({ verdict: 'orphaned' });
    expect(await fleet.systems('batch1')).toEqual(before);
    expect(await activationsOn(fleet.host('batch1'))).toBe(activations);
  });

  it('a commit that removes every host is blocked, touches none, and says what to do', async () => {
    const before = await Promise.all(['web1', 'batch1'].map((name) => fleet.systems(name)));
    const intents = (await readFacts(fleet.varve.dataDir)).all.filter(({ kind }) => kind === 'intent').length;
    const manifest = await fleet.repo.read('varve.yaml');
    const revision = await fleet.commit('Retire everything', {
      'varve.yaml': manifest.replace(/hosts:\n(  .*\n)+/, 'hosts: {}\n'),
    });
    const status = await fleet.varve.settle(revision, ({ verdict }) => verdict === 'stalled');
    expect(status.hosts.map(({ failure }) => failure?.code)).toEqual(['NO_HOSTS', 'NO_HOSTS']);
    expect(status.release).toMatchObject({ state: 'failed', failure: { code: 'NO_HOSTS' } });
    expect(status.release.failure?.hint).toMatch(/revert the commit.*stop Varve/);
    const { reason, advice } = await fleet.varve.why('web1');
    expect(`${reason} ${advice}`).toMatch(/revert the commit/);
    expect(await Promise.all(['web1', 'batch1'].map((name) => fleet.systems(name)))).toEqual(before);
    const { all } = await readFacts(fleet.varve.dataDir);
    expect(all.filter(({ kind }) => kind === 'intent')).toHaveLength(intents);
    await fleet.varve.settle(await fleet.revert(revision), undefined, { hosts: ['web1'] });
  });

  it('is one of the fleet again when the removal is reverted, without an activation', async () => {
    const activations = await activationsOn(fleet.host('batch1'));
    const before = await fleet.systems('batch1');
    await fleet.varve.settle(await fleet.revert(removal));
    expect(await fleet.systems('batch1')).toEqual(before);
    expect(await activationsOn(fleet.host('batch1'))).toBe(activations);
  });
});

/** How a host is reached belongs to its generation: what it listens to changes with the switch. */
describe('a commit that changes how a host is reached', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ hosts: ['web1'], edits: await countingActivations() });
    await fleet.varve.settle(fleet.first);
  });
  afterAll(() => fleet.close());

  interface Change {
    readonly module: string;
    readonly from: RegExp;
    readonly to: string;
    /** As the API shows it: `user@address:port`. */
    readonly address: (address: string) => string;
  }

  function changes(): Readonly<Record<string, Change>> {
    const { nextHostKey } = fleet.host('web1');
    const user = `(roles.deployUser { name = "deployer"; key = "${fleet.lab.publicKey.trim()}"; })`;
    return {
      'the ssh port': {
        module: '{ sshd.port = 2222; }',
        from: /port: 22,/,
        to: 'port: 2222,',
        address: (address) => `root@${address}:2222`,
      },
      'its host key': {
        module: '{ sshd.hostKey = "/etc/ssh/ssh_host_next_ed25519_key"; }',
        from: /hostKeys: \[[^\]]*\]/,
        to: `hostKeys: [${JSON.stringify(nextHostKey)}]`,
        address: (address) => `root@${address}:22`,
      },
      'the deploy user': {
        module: user,
        from: /user: root/,
        to: 'user: deployer',
        address: (address) => `deployer@${address}:22`,
      },
    };
  }

  async function apply(
    names: readonly string[],
  ): Promise<{ readonly revision: string; readonly last: Change }> {
    let manifest = await fleet.repo.read('varve.yaml');
    let host = await fleet.repo.read('hosts/web1.nix');
    let last: Change | undefined;
    for (const name of names) {
      const change = changes()[name];
      if (change === undefined) throw new Error(`no change ${name}`);
      expect(manifest).toMatch(change.from);
      manifest = manifest.replace(change.from, change.to);
      host = host.replace('imports = [', `imports = [\n    ${change.module}`);
      last = change;
    }
    if (last === undefined) throw new Error('nothing to change');
    const revision = await fleet.commit(`Change ${names.join(', ')}`, {
      'varve.yaml': manifest,
      'hosts/web1.nix': host,
    });
    return { revision, last };
  }

  it.each(['the ssh port', 'its host key', 'the deploy user'])(
    'converges when %s changes, and back when that is reverted',
    async (name) => {
      const { address } = fleet.host('web1');
      const before = await fleet.systems('web1');
      const activations = await activationsOn(fleet.host('web1'));
      const { revision, last } = await apply([name]);
      await fleet.varve.settle(revision);
      await expectDesiredSystem(fleet, 'web1');
      expect((await fleet.systems('web1')).current).not.toBe(before.current);
      // The first contact after the change uses the new way.
      await fleet.varve.settle(revision, (host) => host.address === last.address(address));

      await fleet.varve.settle(await fleet.revert(revision));
      expect((await fleet.systems('web1')).current).toBe(before.current);
      await fleet.varve.settle(await fleet.repo.head(), (host) => host.address === `root@${address}:22`);
      expect(await activationsOn(fleet.host('web1'))).toBe(activations + 2);
    },
  );

  it('deploys as a user who is not root: the push through the Nix daemon, what needs root through sudo', async () => {
    const { revision } = await apply(['the deploy user']);
    const inSyncAsDeployer = (host: HostStatus): boolean =>
      host.verdict === 'in-sync' && host.address.startsWith('deployer@');
    await fleet.varve.settle(revision, inSyncAsDeployer);
    const host = await fleet.repo.read('hosts/web1.nix');
    const pushed = await fleet.commit('Something to push as that user', {
      'hosts/web1.nix': host.replace('imports = [', 'imports = [\n    { system.label = "by-deployer"; }'),
    });
    await fleet.varve.settle(pushed, inSyncAsDeployer);
    await expectDesiredSystem(fleet, 'web1');
    expect((await readFacts(fleet.varve.dataDir)).outcomes('web1', pushed)).toMatchObject([
      { phase: 'succeeded', delivery: { pushedPaths: expect.toSatisfy((paths: number) => paths > 0) } },
    ]);
    await fleet.varve.settle(await fleet.revert(pushed), inSyncAsDeployer);
    await fleet.varve.settle(await fleet.revert(revision));
  });

  it('converges when all of them change at once, and back', async () => {
    const before = await fleet.systems('web1');
    const { revision } = await apply(['the ssh port', 'its host key', 'the deploy user']);
    await fleet.varve.settle(
      revision,
      (host) => host.verdict === 'in-sync' && host.address.startsWith('deployer@'),
    );
    await expectDesiredSystem(fleet, 'web1');
    await fleet.varve.settle(await fleet.revert(revision));
    expect((await fleet.systems('web1')).current).toBe(before.current);
  });

  /** Ways that a commit names and that lead nowhere once its system runs. */
  const wrongWays: Readonly<
    Record<string, () => { readonly module: string; readonly from: RegExp; readonly to: string }>
  > = {
    'does not listen where the commit says': () => ({
      module: '{ sshd.port = 2222; }',
      from: /port: 22,/,
      to: 'port: 2022,',
    }),
    'shows another key than the commit says': () => ({
      module: '{ sshd.hostKey = "/etc/ssh/ssh_host_next_ed25519_key"; }',
      from: /hostKeys: \[[^\]]*\]/,
      to: `hostKeys: ["${fleet.lab.publicKey.split(' ', 2).join(' ')}"]`,
    }),
    'lets in another user than the commit says': () => ({
      module: changes()['the deploy user']?.module ?? '',
      from: /user: root/,
      to: 'user: nobody-there',
    }),
  };

  it.each(Object.keys(wrongWays))('rolls back, and is reached as before, when the host %s', async (name) => {
    const { address } = fleet.host('web1');
    const before = await fleet.systems('web1');
    const manifest = await fleet.repo.read('varve.yaml');
    const text = await fleet.repo.read('hosts/web1.nix');
    const way = wrongWays[name]?.();
    if (way === undefined) throw new Error(`no way ${name}`);
    expect(manifest).toMatch(way.from);
    const revision = await fleet.commit(`A host that ${name}`, {
      'varve.yaml': manifest.replace(way.from, way.to),
      'hosts/web1.nix': text.replace('imports = [', `imports = [\n    ${way.module}`),
    });
    await fleet.varve.settle(revision, ({ verdict }) => verdict === 'stalled');
    expect(await fleet.systems('web1')).toEqual(before);
    expect((await readFacts(fleet.varve.dataDir)).outcomes('web1', revision)).toMatchObject([
      { phase: 'rolled-back', evidence: true, failure: { code: 'CONFIRM_TIMEOUT' } },
    ]);
    await fleet.varve.settle(
      await fleet.revert(revision),
      (host) => host.verdict === 'in-sync' && host.address === `root@${address}:22`,
    );
    expect(await fleet.systems('web1')).toEqual(before);
  });
});
