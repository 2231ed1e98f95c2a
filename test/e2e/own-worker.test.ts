import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { varve } from '../support/cli-process.ts';
import { patientManifest, doneOn, expectDoneOnce } from '../support/crash.ts';
import { eventually } from '../support/eventually.ts';
import { countingActivations, expectDesiredSystem } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';
import { bringWorker, workerUnit } from '../support/worker-on-host.ts';

const unit = 'varve-worker.service';
const hosts = ['web1', 'web2', 'web3'];
const system = (text: string, more = ''): string =>
  `{ roles, ... }: { imports = [ (roles.motd "${text}") ]; ${more} }\n`;
const closed = 'windows: [{ allow: "0 0 29 2 *", for: 1h }]\n';

/** One story on one fleet: each test goes on where the one before it ended. */
describe('a host that Varve’s own worker runs on', () => {
  let fleet: Fleet;
  let endTunnel: () => Promise<void> = async () => {};
  let manifest: string;
  beforeAll(async () => {
    fleet = await startFleet({
      hosts,
      manifest: patientManifest,
      workerLostAfterSeconds: 3,
      edits: await countingActivations(),
    });
    const written = await fleet.repo.read('varve.yaml');
    manifest = written.replace('  web1: { ', '  web1: { runsVarve: true, ');
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 120_000 });
    endTunnel = await bringWorker(fleet, fleet.host('web1'), fleet.varve.redis?.address ?? '');
  });
  afterAll(async () => {
    await endTunnel();
    await fleet.close();
  });

  const commit = (text: string, edits: Readonly<Record<string, string>> = {}): Promise<string> =>
    fleet.commit(text, {
      'varve.yaml': manifest,
      'hosts/web1.nix': system(text, workerUnit(fleet, text)),
      ...edits,
    });

  const onHost = (...command: readonly string[]) => fleet.host('web1').exec(['systemctl', ...command]);
  /** As the host's systemd knows it; 0: none. */
  async function workerThere(): Promise<number> {
    const { stdout } = await onHost('show', '--property=MainPID', '--value', unit);
    return Number(stdout);
  }

  /** From now on nobody else does anything. Gives its process. */
  async function leaveItToThatOne(): Promise<number> {
    await fleet.varve.worker.stop();
    await onHost('start', unit);
    await eventually(async () => (await workerThere()) > 0, { what: 'its worker', deadlineMs: 20_000 });
    return workerThere();
  }

  async function override(host: string): Promise<void> {
    const { url } = fleet.varve;
    expect(await varve(['override', host, '--reason', 'now', '--for', '1h'], { url })).toMatchObject({
      code: 0,
    });
  }

  it('gets it as a unit of its system', async () => {
    await fleet.varve.settle(await commit('first of its own'));
    expect(await workerThere()).toBeGreaterThan(0);
  });

  it('is switched by it alone, which that very switch restarts: it is confirmed, and was activated once', async () => {
    await onHost('stop', unit);
    const revision = await commit('second of its own', { 'varve.yaml': manifest + closed });
    await fleet.varve.settle(revision, ({ deployment }) => deployment?.phase === 'delivered', {
      hosts: ['web1'],
    });
    const before = await doneOn(fleet, 'web1');
    const pid = await leaveItToThatOne();

    await override('web1');
    await fleet.varve.settle(revision);
    expect(fleet.varve.worker.running()).toBe(false);
    expect(await workerThere()).toBeGreaterThan(0);
    expect(await workerThere()).not.toBe(pid);
    await expectDoneOnce(fleet, 'web1', revision, before);
  });

  it('goes last and alone, although nothing else holds it up, and its worker has done the others before', async () => {
    await onHost('stop', unit);
    await fleet.varve.worker.start();
    const revision = await commit('third of its own', {
      'varve.yaml': manifest + closed,
      'hosts/web2.nix': system('third'),
      'hosts/web3.nix': system('third'),
    });
    await fleet.varve.settle(revision, ({ deployment }) => deployment?.phase === 'delivered');
    expect(await fleet.varve.why('web1')).toMatchObject({ waitsFor: 'web2, web3' });
    expect((await readFacts(fleet.varve.dataDir)).intents('web1', revision)).toEqual([]);
    await leaveItToThatOne();

    await override('fleet');
    await fleet.varve.settle(revision);
    for (const name of hosts) await expectDesiredSystem(fleet, name);
    const { all } = await readFacts(fleet.varve.dataDir);
    const acts = all.flatMap((fact) =>
      (fact.kind === 'intent' || fact.kind === 'outcome') && fact.aim.revision === revision
        ? [`${fact.kind} ${fact.aim.host}`]
        : [],
    );
    expect(acts.slice(-2)).toEqual(['intent web1', 'outcome web1']);
    expect(acts).toHaveLength(2 * hosts.length);
  });
});
