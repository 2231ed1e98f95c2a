import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { startFleet, type Fleet, type Systems } from '../support/fleet.ts';
import { startHealthPage, type HealthPage } from '../support/health-page.ts';
import { readFacts } from '../support/read-facts.ts';

/** Cut off until their windows are over; cut off for a moment; not cut off. */
const lost = ['lost1', 'lost2'];
const half = [...lost, 'brief'];
const others = ['here1', 'here2', 'flapping'];
const hosts = [...half, ...others];

function system(text: string): string {
  return `{ roles, ... }: { imports = [ (roles.web { greeter = "1.0"; }) (roles.motd "${text}") ]; }\n`;
}

const every = (text: string): Record<string, string> =>
  Object.fromEntries(hosts.map((name) => [`hosts/${name}.nix`, system(text)]));

/** One story on one fleet: each test goes on where the one before it ended. */
describe('the network between Varve and half of the fleet is gone during an activation', () => {
  let fleet: Fleet;
  let health: HealthPage;
  let before: ReadonlyMap<string, Systems>;
  let revision: string;
  beforeAll(async () => {
    health = await startHealthPage();
    fleet = await startFleet({
      hosts,
      manifest:
        'adopt: auto\ndefaults: { timeouts: { activation: 20s, confirm: 12s, settle: 1ms, build: 2m, push: 30s } }\n',
    });
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 180_000 });
    before = new Map(
      await Promise.all(
        hosts.map(async (name): Promise<[string, Systems]> => [name, await fleet.systems(name)]),
      ),
    );
  });
  afterAll(async () => {
    await fleet.close();
    await health.close();
  });

  const running = async (name: string): Promise<string> => (await fleet.systems(name)).current;

  /** Who has switched already, and waits to be confirmed. */
  const isSwitched = async (name: string): Promise<boolean> =>
    (await running(name)) !== before.get(name)?.current &&
    (await fleet.varve.host(name)).deployment?.phase === 'confirming';

  it('the other half gets the commit meanwhile, and those that are lost go back by themselves', async () => {
    // What holds the window open on that half: a page that is not well yet.
    const manifest = half.reduce(
      (text, name) =>
        text.replace(`  ${name}: { `, `  ${name}: { checks: [{ http: { url: "${health.url}" } }], `),
      await fleet.repo.read('varve.yaml'),
    );
    revision = await fleet.commit('Change every host', { 'varve.yaml': manifest, ...every('after') });
    await Promise.all(
      half.map(async (name) => {
        await eventually(() => isSwitched(name), {
          what: `${name} waiting to be confirmed`,
          deadlineMs: 60_000,
        });
        await fleet.host(name).linkDown();
      }),
    );
    health.becomeWell();
    await fleet.host('brief').linkUp();
    await fleet.varve.settle(revision, undefined, { hosts: others });
    for (const name of lost) {
      await eventually(async () => (await running(name)) === before.get(name)?.current, {
        what: `${name} going back without anybody reaching it`,
        deadlineMs: 60_000,
      });
      expect(await fleet.systems(name)).toEqual(before.get(name));
    }
  });

  it('the one that was cut off for a moment is confirmed in the same activation', async () => {
    await fleet.varve.settle(revision, undefined, { hosts: ['brief'] });
    const facts = await readFacts(fleet.varve.dataDir);
    expect(facts.intents('brief', revision)).toHaveLength(1);
    expect(facts.outcomes('brief', revision)).toMatchObject([{ phase: 'succeeded' }]);
  });

  it('afterwards each of them runs it or says why it does not, and a retry brings it there', async () => {
    for (const name of lost) await fleet.host(name).linkUp();
    await fleet.varve.settle(revision, ({ verdict }) => verdict === 'in-sync' || verdict === 'stalled');
    for (const name of lost) {
      const { verdict, reason } = await fleet.varve.host(name);
      if (verdict !== 'stalled') continue;
      expect(reason).toMatch(/it failed here before|activated \d+ times without a confirmation/);
      const { status } = await fleet.varve.post('/api/v1/retry', { host: name });
      expect(status).toBeLessThan(300);
    }
    await fleet.varve.settle(revision);
    for (const name of hosts) expect(await running(name)).toBe((await fleet.varve.host(name)).desired);
  });

  it('a host whose link goes up and down all the while ends on the commit as well', async () => {
    const newest = await fleet.commit('While a link flaps', every('newest'));
    // For longer than a delivery and a switch take; what Varve does meanwhile is not waited for.
    for (let i = 0; i < 5; i += 1) {
      await fleet.host('flapping').linkDown();
      await pause(700);
      await fleet.host('flapping').linkUp();
      await pause(900);
    }
    await fleet.varve.settle(newest, undefined, { deadlineMs: 120_000 });
    expect(await running('flapping')).toBe((await fleet.varve.host('flapping')).desired);
  });

  it('no host was ever in two activations at once, and each that began has one outcome', async () => {
    const { all } = await readFacts(fleet.varve.dataDir);
    const open = new Map<string, string>();
    const ended = new Map<string, number>();
    for (const fact of all) {
      if (fact.kind === 'intent') {
        expect(open.get(fact.aim.host)).toBeUndefined();
        open.set(fact.aim.host, fact.aim.deployment);
      }
      if (fact.kind === 'outcome') {
        if (open.get(fact.aim.host) === fact.aim.deployment) open.delete(fact.aim.host);
        ended.set(fact.aim.deployment, (ended.get(fact.aim.deployment) ?? 0) + 1);
      }
    }
    expect([...open]).toEqual([]);
    expect([...ended.values()].every((times) => times === 1)).toBe(true);
  });
});
