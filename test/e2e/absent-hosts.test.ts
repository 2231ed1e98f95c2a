import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { HostStatus } from '../../shared/contracts/api.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { startHealthPage, type HealthPage } from '../support/health-page.ts';
import { readFacts } from '../support/read-facts.ts';

const present = ['here1', 'here2'];
const absent = ['down', 'unplugged', 'hung-before', 'hung-in-push', 'store-hangs', 'hung-in-window'];
const hosts = [...present, ...absent];

function system(text: string, more = ''): string {
  return `{ packages, roles, ... }: {
  imports = [ (roles.web { greeter = "1.0"; }) (roles.motd "${text}") ];
  ${more}
}
`;
}

/** One story on one fleet: each test goes on where the one before it ended. */
describe('hosts that are down or hang hold up nobody, and catch up by themselves', () => {
  let fleet: Fleet;
  let health: HealthPage;
  let missed: string;
  let newest: string;
  let storeLock: Promise<unknown> | undefined;
  beforeAll(async () => {
    health = await startHealthPage();
    fleet = await startFleet({
      hosts,
      manifest:
        'adopt: auto\ndefaults: { timeouts: { activation: 20s, confirm: 15s, settle: 1ms, build: 2m, push: 15s } }\n',
    });
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 180_000 });
  });
  afterAll(async () => {
    await fleet.close();
    await health.close();
  });

  const everyHost = (text: string, names: readonly string[] = hosts): Record<string, string> =>
    Object.fromEntries(names.map((name) => [`hosts/${name}.nix`, system(text)]));

  function waitFor(name: string, what: string, want: (host: HostStatus) => boolean): Promise<unknown> {
    return eventually(async () => want(await fleet.varve.host(name)), {
      what: `${name}: ${what}`,
      deadlineMs: 120_000,
      everyMs: 100,
    });
  }

  /** Whatever opens the host's store waits from now on, while all else there is well. */
  async function lockStore(name: string): Promise<void> {
    const hold = 'echo > /run/store-hangs; while [ -e /run/store-hangs ]; do sleep 0.2; done';
    storeLock = fleet
      .host(name)
      .exec(['flock', '/nix/var/nix/db/big-lock', 'sh', '-c', hold], { timeout: 300_000 });
    await eventually(
      async () => (await fleet.host(name).exec(['test', '-e', '/run/store-hangs'])).code === 0,
      {
        what: `the store of ${name} being locked`,
        deadlineMs: 20_000,
      },
    );
  }

  async function expectNewest(name: string): Promise<void> {
    const { desired } = await fleet.varve.host(name);
    expect(await fleet.systems(name)).toMatchObject({
      current: desired,
      profile: desired,
      bootDefault: desired,
    });
    const facts = await readFacts(fleet.varve.dataDir);
    expect(facts.outcomes(name).at(-1)).toMatchObject({ phase: 'succeeded', aim: { revision: newest } });
    expect(facts.intents(name, newest)).toHaveLength(1);
  }

  it('finishes on the others while one is off, one unplugged, and four hang: before, in the push, in the window', async () => {
    await fleet.host('down').powerCut();
    await fleet.host('unplugged').linkDown();
    await fleet.host('hung-before').freeze();
    // The build of one waits for a file, the confirmation of another one for a page.
    const gate = join(fleet.dir, 'gate');
    const manifest = await fleet.repo.read('varve.yaml');
    const check = `checks: [{ http: { url: "${health.url}" } }]`;
    missed = await fleet.commit('What the absent ones miss', {
      'varve.yaml': manifest.replace('  hung-in-window: { ', `  hung-in-window: { ${check}, `),
      ...everyHost('missed'),
      'hosts/hung-in-push.nix': system('missed', 'packages = [ packages.slow ];'),
      'hosts/store-hangs.nix': system('missed', 'packages = [ packages.slow ];'),
      'packages/default.nix': (await fleet.repo.read('packages/default.nix')).replace(
        /^\{\n {2}greeter = /m,
        `{
  slow = mkPackage {
    name = "slow";
    script = ''
      until [ -e ${gate} ]; do sleep 0.1; done
      mkdir -p "$out/bin"
    '';
  };
  greeter = `,
      ),
    });
    // The first of them builds what both need, the other one waits for that.
    for (const name of ['hung-in-push', 'store-hangs']) {
      await waitFor(name, 'its build is under way', ({ deployment }) =>
        /building slow|waiting for a build/.test(deployment?.activity ?? ''),
      );
    }
    await fleet.host('hung-in-push').freeze();
    await lockStore('store-hangs');
    await writeFile(gate, '');
    await eventually(() => health.asked() > 0, {
      what: 'a confirmation that is asked for in vain',
      deadlineMs: 120_000,
    });
    await fleet.host('hung-in-window').freeze();
    await fleet.varve.settle(missed, undefined, { hosts: present });
  });

  it.for([
    ['hung-in-push', 'HOST_UNREACHABLE', 0],
    ['store-hangs', 'PUSH_FAILED', 15_000],
  ] as const)('%s: the push is given up (%s)', async ([name, code, leastMs]) => {
    const outcome = await eventually(
      async () => (await readFacts(fleet.varve.dataDir)).outcomes(name, missed)[0],
      { what: 'the end of the push', deadlineMs: 60_000, everyMs: 250 },
    );
    expect(outcome).toMatchObject({
      phase: 'failed',
      evidence: false,
      failure: { code, disposition: 'transient' },
    });
    const spent = outcome.at - (outcome.timeline.delivering ?? outcome.at);
    expect(spent).toBeGreaterThanOrEqual(leastMs);
    expect(spent).toBeLessThan(60_000);
  });

  it('knows which hosts it does not reach, and leaves an activation alone whose end it does not know', async () => {
    for (const name of ['down', 'unplugged', 'hung-before', 'hung-in-push']) {
      await waitFor(name, 'unreachable', ({ verdict, health: said }) => {
        return verdict === 'unreachable' && said === 'Unreachable';
      });
    }
    const { verdict, deployment } = await fleet.varve.host('hung-in-window');
    expect(verdict).toBe('wait');
    expect(deployment?.phase).toMatch(/^(activating|confirming|rolling-back)$/);
  });

  it('deploys the next commit to the others, and starts nothing on those that are absent', async () => {
    health.becomeWell();
    newest = await fleet.commit('The newest', everyHost('newest'));
    await fleet.varve.settle(newest, undefined, { hosts: present });
    const facts = await readFacts(fleet.varve.dataDir);
    for (const name of absent) expect(facts.intents(name, newest)).toEqual([]);
    for (const name of present) await expectNewest(name);
  });

  it('brings each of them straight to the newest as soon as it is back, without anybody’s help', async () => {
    await fleet.host('down').boot();
    await fleet.host('unplugged').linkUp();
    await fleet.host('store-hangs').exec(['rm', '/run/store-hangs']);
    await storeLock;
    for (const name of absent.filter((each) => each.startsWith('hung'))) await fleet.host(name).thaw();
    await fleet.varve.settle(newest, undefined, { deadlineMs: 150_000 });
    for (const name of absent) await expectNewest(name);
  });

  it.for(['down', 'unplugged', 'hung-before', 'hung-in-push', 'store-hangs'])(
    '%s: what it missed was never activated there',
    async (name) => {
      expect((await readFacts(fleet.varve.dataDir)).intents(name, missed)).toEqual([]);
    },
  );

  it('hung-in-window: it had rolled back by itself before anything newer was started', async () => {
    const facts = await readFacts(fleet.varve.dataDir);
    expect(facts.outcomes('hung-in-window', missed)).toMatchObject([
      { phase: expect.stringMatching(/^(unconfirmed|rolled-back)$/) },
    ]);
    const story = facts.all.flatMap((fact) =>
      (fact.kind === 'intent' || fact.kind === 'outcome') && fact.aim.host === 'hung-in-window'
        ? [`${fact.kind} for observation ${fact.aim.observation}`]
        : [],
    );
    expect(story.slice(2)).toEqual(
      [2, 2, 3, 3].map((n, i) => `${i % 2 === 0 ? 'intent' : 'outcome'} for observation ${n}`),
    );
  });
});
