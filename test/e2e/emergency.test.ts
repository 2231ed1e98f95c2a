import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { HostStatus } from '../../shared/contracts/api.ts';
import { switchTo } from '../hosts/by-hand.ts';
import { varve } from '../support/cli-process.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, type Fleet, type Systems } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';

const web = ['web1', 'web2'];
const hosts = [...web, 'batch1'];

function system(text: string): string {
  return `{ roles, ... }: { imports = [ (roles.web { greeter = "1.0"; text = "${text}"; }) ]; }\n`;
}

const every = (text: string, names = hosts): Record<string, string> =>
  Object.fromEntries(names.map((name) => [`hosts/${name}.nix`, system(`${text} of ${name}`)]));

/** One story on one fleet: each test goes on where the one before it ended. */
describe('people overrule what would happen by itself', () => {
  let fleet: Fleet;
  let old: Systems;
  beforeAll(async () => {
    fleet = await startFleet({
      hosts,
      // What somebody does on a host by hand is to be seen soon.
      probeSeconds: 2,
      manifest:
        'adopt: auto\ngroups:\n  webs: { select: { role: web } }\ndefaults:\n  drift: heal\n' +
        '  timeouts: { activation: 30s, confirm: 8s, settle: 1ms, build: 2m, push: 1m }\n',
    });
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 120_000 });
  });
  afterAll(() => fleet.close());

  /** Runs the command as a person would, who gets to see that it worked. */
  async function say(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await varve(args, { url: fleet.varve.url });
    expect({ args, code, stderr }).toMatchObject({ code: 0 });
    return stdout;
  }

  /** The host's own word for what it runs, would boot and has as its profile: all three are one. */
  async function runs(name: string): Promise<string> {
    const { current, profile, bootDefault } = await fleet.systems(name);
    expect({ profile, bootDefault }).toEqual({ profile: current, bootDefault: current });
    return current;
  }

  /** Everything that was done to a host so far, by the ledger. */
  const begun = async (name: string): Promise<number> =>
    (await readFacts(fleet.varve.dataDir)).intents(name).length;

  it('`varve rollback` returns a host to exactly the system before, without a commit, and holds it there', async () => {
    await fleet.varve.settle(await fleet.commit('Good', every('good')));
    old = await fleet.systems('web1');
    await fleet.varve.settle(await fleet.commit('Bad', every('bad')));
    expect(await runs('web1')).not.toBe(old.current);

    const text = await say('rollback', 'web1', '--reason', 'the shop is down');
    expect(text).toContain(old.current);
    await eventually(async () => (await fleet.systems('web1')).bootDefault === old.current, {
      what: 'the old system on web1',
      deadlineMs: 30_000,
    });
    expect(await runs('web1')).toBe(old.current);
    await eventually(async () => (await fleet.varve.host('web1')).health === 'Held', {
      what: 'the end of the roll back',
      deadlineMs: 30_000,
    });
    expect(await fleet.varve.host('web1')).toMatchObject({
      hold: { reason: 'the shop is down', by: 'local:tess' },
      pin: { reason: 'the shop is down' },
    });
    expect(await runs('web2')).not.toBe(old.current);
  });

  it('the next commit, about something else, does not undo it', async () => {
    const before = await begun('web1');
    const revision = await fleet.commit('About web2 and words', {
      ...every('other', ['web2']),
      'README.md': '# Other words\n',
    });
    await fleet.varve.settle(revision, undefined, { hosts: ['web2', 'batch1'] });
    await fleet.varve.settle(revision, ({ health }) => health === 'Held', { hosts: ['web1'] });
    expect(await runs('web1')).toBe(old.current);
    expect(await begun('web1')).toBe(before);
  });

  it('`varve release` lets it go to what the repository says by then', async () => {
    const mended = await fleet.commit('Mend it', every('mended'));
    await fleet.varve.settle(mended, undefined, { hosts: ['web2', 'batch1'] });
    expect(await runs('web1')).toBe(old.current);
    await say('release', 'web1');
    await fleet.varve.settle(mended);
    expect(await runs('web1')).toBe((await fleet.varve.host('web1')).desired);
    const { hold, pin } = await fleet.varve.host('web1');
    expect({ hold, pin }).toEqual({});
  });

  it('`varve rollback --revert` takes back in Git as well what the host leaves, and nothing that came after it', async () => {
    const good = await runs('web1');
    const bad = await fleet.commit('Bad again', every('bad again'));
    await fleet.varve.settle(bad);
    await fleet.varve.settle(await fleet.commit('Words', { 'README.md': '# Better words\n' }));
    const before = await begun('web1');

    const text = await say('rollback', 'web1', '--reason', 'the shop is down', '--revert');
    const { git, branch } = fleet.repo;
    await git('pull', '--quiet', '--ff-only', 'origin', branch);
    const revert = await fleet.repo.head();
    expect(text).toContain(`${bad.slice(0, 10)} is undone by ${revert} on ${branch}`);
    expect(await git('log', '-1', '--format=%s')).toBe('Revert "Bad again"\n');
    expect(await fleet.repo.read('README.md')).toBe('# Better words\n');

    await fleet.varve.settle(revert, undefined, { hosts: ['web2', 'batch1'] });
    await fleet.varve.settle(revert, ({ health }) => health === 'Held', { hosts: ['web1'] });
    expect(await runs('web1')).toBe(good);
    await say('release', 'web1');
    await fleet.varve.settle(revert);
    expect(await runs('web1')).toBe(good);
    // The roll back was all that there was to do.
    expect(await begun('web1')).toBe(before + 1);
  });

  it('a held group is left as it is, drift and all, while a host outside of it gets the commit', async () => {
    await say('hold', 'webs', '--reason', 'a sale');
    const kept = await Promise.all(web.map(runs));
    const revision = await fleet.commit('During the sale', every('sale'));
    await fleet.varve.settle(revision, undefined, { hosts: ['batch1'] });
    await fleet.varve.settle(revision, ({ verdict }) => verdict === 'held', { hosts: web });
    expect(await Promise.all(web.map(runs))).toEqual(kept);
    expect((await fleet.varve.host('web2')).hold).toMatchObject({ reason: 'a sale' });

    const before = await begun('web2');
    const byHand = (await fleet.systems('web2')).profileGenerations[0]?.path ?? '';
    expect((await switchTo(fleet.host('web2'), byHand, 'test')).code).toBe(0);
    await eventually(async () => (await fleet.varve.host('web2')).current === byHand, {
      what: 'the switch by hand being seen',
      deadlineMs: 30_000,
    });
    expect(await fleet.varve.host('web2')).toMatchObject({ verdict: 'held', health: 'Held' });
    expect(await begun('web2')).toBe(before);
    await say('release', 'webs');
    await fleet.varve.settle(revision);
  });

  it('nothing is begun anywhere while all is suspended, and everything goes on after `varve resume`', async () => {
    await say('suspend', '--reason', 'on batteries');
    const kept = await Promise.all(hosts.map(runs));
    const before = await Promise.all(hosts.map(begun));
    const revision = await fleet.commit('While suspended', every('suspended'));
    const { suspended } = await fleet.varve.settle(revision, ({ reason }) => reason.includes('on batteries'));
    expect(suspended).toMatchObject({ reason: 'on batteries', by: 'local:tess' });
    expect(await Promise.all(hosts.map(runs))).toEqual(kept);
    expect(await Promise.all(hosts.map(begun))).toEqual(before);
    await say('resume');
    await fleet.varve.settle(revision);
    for (const name of hosts) expect(await runs(name)).toBe((await fleet.varve.host(name)).desired);
  });

  it('what somebody switches by hand on a host that nobody holds is healed', async () => {
    const wanted = await runs('web1');
    const before = await begun('web1');
    expect((await switchTo(fleet.host('web1'), old.current, 'switch')).code).toBe(0);
    expect((await fleet.systems('web1')).current).toBe(old.current);
    await eventually(async () => (await fleet.systems('web1')).bootDefault === wanted, {
      what: 'web1 being healed',
      deadlineMs: 60_000,
    });
    await fleet.varve.settle((await fleet.varve.status()).observation?.revision ?? '');
    expect(await runs('web1')).toBe(wanted);
    expect(await begun('web1')).toBe(before + 1);
    // The ledger keeps what it was healed of.
    expect((await readFacts(fleet.varve.dataDir)).intents('web1').at(-1)?.reason).toMatch(
      /^drift: .* \(it was switched to profile generation \d+ on .* UTC\)$/,
    );
  });

  const unfollowed = [
    {
      what: 'a varve.yaml that nobody can read',
      code: 'MANIFEST_INVALID',
      breaks: 'varve.yaml',
      by: 'ohsts: 1\n',
    },
    {
      what: 'a tree that does not evaluate',
      code: 'EVALUATION_FAILED',
      breaks: 'hosts/batch1.nix',
      by: '} oops',
    },
  ];
  it.each(unfollowed)(
    '`varve rollback` does not wait for $what to be mended',
    async ({ code, breaks, by }) => {
      const goal = await runs('web1');
      await fleet.varve.settle(await fleet.commit('One more', every(`before ${code}`)));
      const others = await Promise.all(['web2', 'batch1'].map(runs));
      const whole = await fleet.repo.read(breaks);
      const broken = await fleet.commit('A typing error', { [breaks]: whole + by });
      const stalled = ({ verdict, failure }: HostStatus): boolean =>
        verdict === 'stalled' && failure?.code === code;
      await fleet.varve.settle(broken, stalled);
      // What was good before is known from the ledger and the mirror alone.
      await fleet.varve.controller.stop();
      await fleet.varve.controller.start();
      await eventually(() => fleet.varve.status().catch(() => false), { what: 'status', deadlineMs: 30_000 });
      await fleet.varve.settle(broken, stalled);

      expect(await say('rollback', 'web1', '--reason', 'the shop is down')).toContain(goal);
      await fleet.varve.settle(broken, ({ health }) => health === 'Held', { hosts: ['web1'] });
      expect(await runs('web1')).toBe(goal);
      await fleet.varve.settle(broken, stalled, { hosts: ['web2', 'batch1'] });
      expect(await Promise.all(['web2', 'batch1'].map(runs))).toEqual(others);

      const mended = await fleet.commit('Mend it', { [breaks]: whole });
      await fleet.varve.settle(mended, undefined, { hosts: ['web2', 'batch1'] });
      expect(await runs('web1')).toBe(goal);
      await say('release', 'web1');
      await fleet.varve.settle(mended);
      expect(await runs('web1')).not.toBe(goal);
    },
  );
});
