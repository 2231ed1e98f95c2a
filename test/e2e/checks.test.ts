import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { HostStatus } from '../../shared/contracts/api.ts';
import { eventually } from '../support/eventually.ts';
import { expectDesiredSystem } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';
import { startWatchingServices, type WatchingServices } from '../support/watching-services.ts';

/** One story on one host: each test goes on where the one before it ended. */
describe('a host with checks before and after its activations', () => {
  let fleet: Fleet;
  let services: WatchingServices;
  beforeAll(async () => {
    services = await startWatchingServices();
    fleet = await startFleet({
      hosts: ['h1'],
      probeSeconds: 2,
      programs: ['controller'],
      worker: services.worker,
      manifest:
        'adopt: auto\ndefaults:\n  timeouts: { activation: 30s, confirm: 8s, settle: 1ms }\n' +
        `  checks: [{ command: [test, "!", -e, /root/quarantined], before: true }, ${services.checks}]\n`,
    });
    await fleet.varve.worker.start(services.workerEnvironment);
  });
  afterAll(async () => {
    await fleet?.close();
    await services.close();
  });

  it('is confirmed after its worker has asked a page over TLS, Prometheus and its own command', async () => {
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 120_000 });
    expect(await services.asked()).toEqual(
      new Set(['page /health', 'prometheus /api/v1/query?query=is_well', 'command h1 --strict']),
    );
    expect((await readFacts(fleet.varve.dataDir)).outcomes('h1')).toMatchObject([{ phase: 'succeeded' }]);
  });

  it('is degraded as soon as they say no, each in its own words, and healthy again once they say yes', async () => {
    await services.say(false);
    const { failedChecks = [] } = await healthIs('Degraded');
    expect(failedChecks.map((said) => said.replaceAll(/:\d+/g, ''))).toEqual([
      'https://127.0.0.1/health answered 503, not 200',
      'the worker command is-well ended with 1',
      'the query is_well: the value is 0, not 1',
    ]);
    await services.say(true);
    await healthIs('Healthy');
  });

  const healthIs = (health: HostStatus['health']): Promise<HostStatus> =>
    eventually(
      async () => {
        const status = await fleet.varve.host('h1');
        return status.health === health && status;
      },
      { what: `a probe after which it is ${health}`, deadlineMs: 60_000 },
    );

  it('is asked by probes until it is ready where one before says no: one attempt failed, and the next one is made then', async () => {
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
