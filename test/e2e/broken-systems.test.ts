import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { startFleet, type Fleet, type Systems } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';

const broken = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'];

function system(text: string, faults = ''): string {
  return `{ roles, ... }: {
  imports = [ (roles.web { greeter = "1.0"; }) (roles.motd "${text}") ];
  faults = { ${faults} };
}
`;
}

/** A toplevel that is broken in one way, and what is to become of it. */
interface Row {
  readonly host: string;
  readonly what: string;
  readonly faults: string;
  readonly phase: string;
  readonly code: string;
  /** What the failure's details must say. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Activation and confirmation have 25 s and 15 s; the way back has some on top. */
const latestMs = 75_000;

const firstRound: readonly Row[] = [
  {
    host: 'h1',
    what: 'it has no sshd',
    faults: 'sshd = "stopped";',
    phase: 'rolled-back',
    code: 'CONFIRM_TIMEOUT',
  },
  {
    host: 'h2',
    what: 'it cuts the network',
    faults: 'network = true;',
    phase: 'rolled-back',
    code: 'CONFIRM_TIMEOUT',
  },
  {
    host: 'h3',
    what: 'its switch-to-configuration exits with 1 before it touches anything',
    faults: 'switch = 1;',
    phase: 'failed',
    code: 'ACTIVATION_REFUSED',
    details: { exit: '1' },
  },
  {
    host: 'h4',
    what: 'its switch-to-configuration exits with 2',
    faults: 'switch = 2;',
    phase: 'rolled-back',
    code: 'ACTIVATION_FAILED',
    details: { exit: '2' },
  },
  {
    host: 'h5',
    what: 'one of its units fails, so that switch-to-configuration exits with 4',
    faults: 'unit = "fails";',
    phase: 'rolled-back',
    code: 'UNITS_FAILED',
    details: { exit: '4', units: 'fault.service' },
  },
];
const secondRound: readonly Row[] = [
  {
    host: 'h2',
    what: 'its switch-to-configuration exits with 101',
    faults: 'switch = 101;',
    phase: 'rolled-back',
    code: 'ACTIVATION_FAILED',
    details: { exit: '101' },
  },
  {
    host: 'h3',
    what: 'its switch-to-configuration is killed',
    faults: 'switch = "killed";',
    phase: 'rolled-back',
    code: 'ACTIVATION_FAILED',
    details: { exit: '137' },
  },
  {
    host: 'h4',
    what: 'one of its units dies and restarts in a loop',
    faults: 'unit = "loops";',
    phase: 'rolled-back',
    code: 'CHECK_FAILED',
  },
  {
    host: 'h5',
    what: 'its switch-to-configuration never ends',
    faults: 'switch = "hangs";',
    phase: 'rolled-back',
    code: 'ACTIVATION_FAILED',
  },
  {
    host: 'h6',
    what: 'its sshd does not accept its own configuration',
    faults: 'sshd = "misconfigured";',
    phase: 'rolled-back',
    code: 'UNITS_FAILED',
  },
];

function titled(row: Row): readonly [title: string, row: Row] {
  return [`${row.host}: ${row.what}: ${row.phase}, ${row.code}`, row];
}

/** One story on one fleet: each test goes on where the one before it ended. */
describe('a broken toplevel is undone by its host, and not tried again there', () => {
  let fleet: Fleet;
  let before: ReadonlyMap<string, Systems>;
  const reloading: Promise<unknown>[] = [];
  beforeAll(async () => {
    fleet = await startFleet({
      hosts: [...broken, 'steady'],
      // Whoever rebooted is to be seen soon.
      probeSeconds: 10,
      manifest:
        'adopt: auto\ndefaults: { timeouts: { activation: 25s, confirm: 15s, settle: 2500ms, build: 2m, push: 1m } }\n',
    });
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 180_000 });
    before = new Map(
      await Promise.all(
        broken.map(async (name): Promise<[string, Systems]> => [name, await fleet.systems(name)]),
      ),
    );
    // Timers that count from their start begin anew with each of these.
    const loop = 'until [ -e /run/still ]; do systemctl daemon-reload && echo >> /run/reloads; sleep 1; done';
    for (const name of broken) {
      reloading.push(fleet.host(name).exec(['sh', '-c', loop], { timeout: 600_000 }));
    }
  });
  afterAll(async () => {
    for (const name of broken) {
      if (fleet.host(name).isRunning()) await fleet.host(name).exec(['touch', '/run/still']);
    }
    await Promise.allSettled(reloading);
    await fleet.close();
  });

  /** Breaks hosts, and waits until each has had its outcome for that. */
  async function breakHosts(
    message: string,
    rows: readonly Row[],
    others: Readonly<Record<string, string>>,
  ): Promise<string> {
    const edits = Object.fromEntries(
      rows.map(({ host, what, faults }) => [`hosts/${host}.nix`, system(what, faults)]),
    );
    const revision = await fleet.commit(message, { ...edits, ...others });
    await fleet.varve.settle(revision, ({ verdict }) => verdict === 'stalled', {
      hosts: rows.map(({ host }) => host),
      deadlineMs: 180_000,
    });
    return revision;
  }

  async function runsAsBefore(name: string): Promise<void> {
    expect(await fleet.systems(name)).toEqual(before.get(name));
    const { stdout } = await fleet
      .host(name)
      .exec(['systemctl', 'is-active', 'sshd.service', 'web.service', 'network.service']);
    expect(stdout.trim().split('\n')).toEqual(['active', 'active', 'active']);
  }

  async function expectOutcome(row: Row, revision: string): Promise<void> {
    const outcomes = (await readFacts(fleet.varve.dataDir)).outcomes(row.host, revision);
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]).toMatchObject({
      phase: row.phase,
      evidence: true,
      failure: {
        code: row.code,
        disposition: 'stalled',
        ...(row.details === undefined ? {} : { details: row.details }),
      },
    });
    const { timeline, at } = outcomes[0] ?? { timeline: {}, at: 0 };
    expect(at - (timeline.activating ?? 0)).toBeLessThan(latestMs);
    expect(outcomes[0]?.aim.observation).toBe((await fleet.varve.history(row.host))[0]?.observation);
    await runsAsBefore(row.host);
    const why = await fleet.varve.why(row.host);
    expect(why).toMatchObject({ verdict: 'stalled', sync: 'Stalled' });
    expect(why.chain.map(({ statement }) => statement).join('\n')).toContain(row.code);
  }

  /** How often a host was switched to what a revision wants there, whichever revision it was done for. */
  async function attempts(name: string, revision: string): Promise<number> {
    const facts = await readFacts(fleet.varve.dataDir);
    const toplevel = facts.outcomes(name, revision)[0]?.aim.toplevel;
    return facts.intents(name).filter(({ aim }) => aim.toplevel === toplevel).length;
  }

  let first: string;
  it('breaks five hosts at once and locks a sixth one, while a seventh gets the same commit and runs it', async () => {
    first = await breakHosts('Break five hosts', firstRound, {
      'hosts/h6.nix': system('its switch is locked', 'switch = 11;'),
      'hosts/steady.nix': system('steady'),
    });
    await fleet.varve.settle(first, undefined, { hosts: ['steady'] });
  });

  it.for(firstRound.map(titled))('%s', ([, row]) => expectOutcome(row, first));

  it('h6: somebody holds the lock of the switch (11): untouched, no evidence, tried again by itself', async () => {
    const outcomes = await eventually(
      async () => {
        const found = (await readFacts(fleet.varve.dataDir)).outcomes('h6', first);
        return found.length >= 2 && found;
      },
      { what: 'a second try on h6', deadlineMs: 60_000, everyMs: 500 },
    );
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        phase: 'failed',
        evidence: false,
        failure: { code: 'LOCK_HELD', disposition: 'transient' },
      });
    }
    await runsAsBefore('h6');
  });

  /** Commits something that is about another host only; what broke these ones is what they are to run still. */
  async function expectNotTriedAgain(rows: readonly Row[], broke: string, text: string): Promise<void> {
    const revision = await fleet.commit('About something else', {
      'hosts/steady.nix': system(text),
      'README.md': `# ${text}\n`,
    });
    await fleet.varve.settle(revision, undefined, { hosts: ['steady'] });
    const hosts = rows.map(({ host }) => host);
    await fleet.varve.settle(revision, ({ verdict }) => verdict === 'stalled', { hosts });
    for (const name of hosts) {
      expect(await attempts(name, broke)).toBe(1);
      expect((await fleet.varve.host(name)).reason).toContain('it failed here before');
      await runsAsBefore(name);
    }
  }

  it('tries none of the five again for a commit that is about something else', () =>
    expectNotTriedAgain(firstRound, first, 'steadier'));

  let second: string;
  it('breaks five hosts in other ways, and gives a sixth one what only a reboot can bring', async () => {
    second = await breakHosts('Break five hosts in other ways', secondRound, {
      'hosts/h1.nix': system('another init', 'switch = 100;'),
    });
    await fleet.varve.settle(second, ({ waitsFor }) => waitsFor === 'reboot', { hosts: ['h1'] });
  });

  it.for(secondRound.map(titled))('%s', ([, row]) => expectOutcome(row, second));

  it('h1: what needs a reboot (100) is what boots next, and runs once the host was rebooted', async () => {
    const { desired } = await fleet.varve.host('h1');
    const [outcome, ...others] = (await readFacts(fleet.varve.dataDir)).outcomes('h1', second);
    expect(others).toEqual([]);
    expect(outcome).toMatchObject({ phase: 'awaiting-reboot', aim: { toplevel: desired } });
    expect(await fleet.systems('h1')).toMatchObject({
      current: before.get('h1')?.current,
      profile: desired,
      bootDefault: desired,
    });
    // A systemd that is told to read its units again while it shuts down may not come to its end.
    await fleet.host('h1').exec(['touch', '/run/still']);
    await reloading[broken.indexOf('h1')];
    await fleet.host('h1').powerOff();
    await fleet.host('h1').boot();
    await fleet.varve.settle(second, undefined, { hosts: ['h1'] });
    expect((await fleet.systems('h1')).current).toBe(desired);
    expect(await attempts('h1', second)).toBe(1);
  });

  it('tries none of these five again either for a commit that is about something else', () =>
    expectNotTriedAgain(secondRound, second, 'steadier still'));

  it('was told to read its units again every second all the while', async () => {
    for (const name of broken.filter((each) => each !== 'h1')) {
      const { stdout } = await fleet.host(name).exec(['wc', '-l', '/run/reloads']);
      expect(Number(stdout.split(' ')[0])).toBeGreaterThan(10);
    }
  });

  it('brings every host to the commit that mends it', async () => {
    const mended = broken.filter((name) => name !== 'h1');
    const revision = await fleet.commit('Mend all of it', {
      ...Object.fromEntries(mended.map((name) => [`hosts/${name}.nix`, system('mended')])),
    });
    await fleet.varve.settle(revision, undefined, { deadlineMs: 120_000 });
    for (const name of mended) {
      const { desired } = await fleet.varve.host(name);
      expect(await fleet.systems(name)).toMatchObject({
        current: desired,
        profile: desired,
        bootDefault: desired,
      });
      // What was undone has left no profile generation behind.
      const { profileGenerations } = await fleet.systems(name);
      expect(profileGenerations).toHaveLength((before.get(name)?.profileGenerations.length ?? 0) + 1);
    }
  });
});
