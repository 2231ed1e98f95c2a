import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { expectDesiredSystem } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';

describe('a host that a check before its activation says to leave alone', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({
      hosts: ['h1'],
      probeSeconds: 2,
      manifest:
        'adopt: auto\ndefaults:\n  timeouts: { activation: 30s, confirm: 8s, settle: 1ms }\n' +
        '  checks: [{ command: [test, "!", -e, /root/quarantined], before: true }]\n',
    });
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 120_000 });
  });
  afterAll(() => fleet.close());

  it('is asked by probes until it is ready: one attempt failed, and the next one is made then', async () => {
    const host = fleet.host('h1');
    const before = await fleet.systems('h1');
    await host.exec(['touch', '/root/quarantined']);
    const revision = await fleet.change('hosts/h1.nix', 'hello from h1', 'hello from quarantine');
    await fleet.varve.settle(revision, ({ failure }) => failure?.code === 'NOT_READY');
    const { probeAskedAt: first = 0 } = await fleet.varve.host('h1');
    // Time enough for several attempts, were they made.
    const later = await eventually(
      async () => {
        const status = await fleet.varve.host('h1');
        return (status.probeAskedAt ?? 0) > first + 20_000 && status;
      },
      { what: 'probes of the next twenty seconds', deadlineMs: 60_000, everyMs: 500 },
    );
    expect(later).toMatchObject({ verdict: 'wait', waitsFor: 'check', failure: { code: 'NOT_READY' } });
    expect((await readFacts(fleet.varve.dataDir)).intents('h1', revision)).toHaveLength(1);
    expect(await fleet.systems('h1')).toEqual(before);

    await host.exec(['rm', '/root/quarantined']);
    await fleet.varve.settle(revision);
    await expectDesiredSystem(fleet, 'h1');
    expect((await readFacts(fleet.varve.dataDir)).outcomes('h1', revision)).toMatchObject([
      { phase: 'failed', failure: { code: 'NOT_READY' }, evidence: false },
      { phase: 'succeeded' },
    ]);
  });
});
