import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { readEvents } from '../../cli/event-reader.ts';
import { varve } from '../support/cli-process.ts';
import { eventually } from '../support/eventually.ts';
import { activationsOn, countingActivations } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';

/** Its service does not start again once the other system has run. */
const fragile = `{ roles, ... }: { imports = [ (roles.motd "fragile") ];
  units."fragile.service" = { wantedBy = [ "multi-user.target" ]; text = ''
    [Service]
    ExecStartPre=/bin/sh -c "! test -e /run/poisoned"
    ExecStart=/bin/sleep infinity
  ''; }; }
`;
const poison = `{ roles, ... }: { imports = [ (roles.motd "poison") ];
  activation.poison = "touch /run/poisoned"; faults.unit = "fails"; }
`;

/** One story on one host: each test goes on where the one before it ended. */
describe('a host whose roll back fails as well', () => {
  let fleet: Fleet;
  const told: string[] = [];
  const listening = new AbortController();
  beforeAll(async () => {
    fleet = await startFleet({
      hosts: ['web1'],
      probeSeconds: 2,
      edits: { ...(await countingActivations()), 'hosts/web1.nix': fragile },
    });
    await fleet.varve.settle(fleet.first);
    const { body } = await fetch(`${fleet.varve.url}/api/v1/events`, { signal: listening.signal });
    if (body === null) throw new Error('there is no stream of events');
    void (async () => {
      for await (const { data } of readEvents(body)) told.push(data);
    })().catch(() => {});
  });
  afterAll(async () => {
    listening.abort();
    await fleet.close();
  });

  let revision: string;
  it('is stuck, and everybody is told: the status, the log for those on call, and the events', async () => {
    revision = await fleet.commit('Poison', { 'hosts/web1.nix': poison });
    await fleet.varve.settle(revision, ({ verdict }) => verdict === 'stalled');
    const { url, dataDir, controller } = fleet.varve;
    expect((await readFacts(dataDir)).outcomes('web1', revision)).toMatchObject([
      { phase: 'stuck', failure: { code: 'ROLL_BACK_FAILED', details: { because: 'UNITS_FAILED' } } },
    ]);
    expect(await fleet.varve.host('web1')).toMatchObject({ sync: 'Stalled', health: 'Degraded' });
    const { code, stdout } = await varve(['status', '--exit-code'], { url });
    expect({ code, stdout }).toMatchObject({ code: 7, stdout: expect.stringContaining('fragile.service') });
    expect((await varve(['why', 'web1'], { url })).stdout).toContain('ROLL_BACK_FAILED');
    const errors = (await controller.log()).split('\n').filter((line) => line.includes('"host stuck'));
    expect(errors.map((line): unknown => JSON.parse(line))).toMatchObject([
      { level: 'error', host: 'web1', failure: { code: 'ROLL_BACK_FAILED' } },
    ]);
    await eventually(() => told.some((event) => event.includes('"phase":"stuck"')), {
      what: 'the event of the stuck host',
      deadlineMs: 5_000,
    });
  });

  it('is not tried again by probes or by a commit that is not about it', async () => {
    const activations = await activationsOn(fleet.host('web1'));
    const later = await fleet.commit('Words', { 'README.md': '# Words\n' });
    await fleet.varve.settle(later, ({ verdict }) => verdict === 'stalled');
    const { probeAskedAt = 0 } = await fleet.varve.host('web1');
    await eventually(
      async () => ((await fleet.varve.host('web1')).probeAskedAt ?? 0) > probeAskedAt + 4_000,
      {
        what: 'more probes',
        deadlineMs: 30_000,
      },
    );
    expect(await fleet.varve.host('web1')).toMatchObject({ verdict: 'stalled', health: 'Degraded' });
    expect(await activationsOn(fleet.host('web1'))).toBe(activations);
    expect((await readFacts(fleet.varve.dataDir)).intents('web1')).toHaveLength(2);
  });

  it('is brought to what the next commit about it wants', async () => {
    await fleet.varve.settle(
      await fleet.commit('Mend', {
        'hosts/web1.nix': '{ roles, ... }: { imports = [ (roles.motd "mended") ]; }\n',
      }),
    );
    expect(await fleet.varve.host('web1')).toMatchObject({ sync: 'Synced' });
    const { current, profile, bootDefault } = await fleet.systems('web1');
    expect([profile, bootDefault]).toEqual([current, current]);
  });
});
