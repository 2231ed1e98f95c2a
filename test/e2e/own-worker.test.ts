import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { varve } from '../support/cli-process.ts';
import { patientManifest, doneOn, expectDoneOnce } from '../support/crash.ts';
import { eventually } from '../support/eventually.ts';
import { countingActivations } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { bringWorker, workerUnit } from '../support/worker-on-host.ts';

/** One story on one host: each test goes on where the one before it ended. */
describe('a host that Varve’s own worker runs on', () => {
  let fleet: Fleet;
  let endTunnel: () => Promise<void> = async () => {};
  let manifest: string;
  beforeAll(async () => {
    fleet = await startFleet({
      hosts: ['web1'],
      manifest: patientManifest,
      workerLostAfterSeconds: 3,
      edits: await countingActivations(),
    });
    manifest = await fleet.repo.read('varve.yaml');
    await fleet.varve.settle(fleet.first);
    endTunnel = await bringWorker(fleet, fleet.host('web1'), fleet.varve.redis?.address ?? '');
  });
  afterAll(async () => {
    await endTunnel();
    await fleet.close();
  });

  const commit = (text: string, edits: Readonly<Record<string, string>> = {}): Promise<string> =>
    fleet.commit(text, {
      'hosts/web1.nix': `{ roles, ... }: { imports = [ (roles.motd "${text}") ]; ${workerUnit(fleet, text)} }\n`,
      ...edits,
    });

  /** As the host's systemd knows it; 0: none. */
  async function workerThere(): Promise<number> {
    const { stdout } = await fleet
      .host('web1')
      .exec([...['systemctl', 'show', '--property=MainPID', '--value', 'varve-worker.service']]);
    return Number(stdout);
  }

  it('gets it as a unit of its system', async () => {
    await fleet.varve.settle(await commit('first of its own'));
    expect(await workerThere()).toBeGreaterThan(0);
  });

  it('is switched by it alone, which that very switch restarts: it is confirmed, and was activated once', async () => {
    const host = fleet.host('web1');
    const { worker, url } = fleet.varve;
    await host.exec(['systemctl', 'stop', 'varve-worker.service']);
    const closed = `${manifest}windows: [{ allow: "0 0 29 2 *", for: 1h }]\n`;
    const revision = await commit('second of its own', { 'varve.yaml': closed });
    await fleet.varve.settle(revision, ({ deployment }) => deployment?.phase === 'delivered');
    await worker.stop();
    const before = await doneOn(fleet, 'web1');
    await host.exec(['systemctl', 'start', 'varve-worker.service']);
    await eventually(async () => (await workerThere()) > 0, { what: 'its worker', deadlineMs: 20_000 });
    const pid = await workerThere();

    const { code, stderr } = await varve(['override', 'web1', '--reason', 'now', '--for', '1h'], { url });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    await fleet.varve.settle(revision);
    expect(worker.running()).toBe(false);
    expect(await workerThere()).toBeGreaterThan(0);
    expect(await workerThere()).not.toBe(pid);
    await expectDoneOnce(fleet, 'web1', revision, before);
  });
});
