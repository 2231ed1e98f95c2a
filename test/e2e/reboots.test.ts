import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { FactOf } from '../../shared/domain/facts.ts';
import { eventually } from '../support/eventually.ts';
import { expectDesiredSystem } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';

const hosts = ['h1', 'h2'];

const system = (text: string, kernel: string): string =>
  `{ roles, ... }: { imports = [ (roles.motd "${text}") ]; system.kernel = "${kernel}"; }\n`;
const every = (text: string, kernel: string): Record<string, string> =>
  Object.fromEntries(hosts.map((name) => [`hosts/${name}.nix`, system(text, kernel)]));

/** Says on the host which boot it was run in; the drain takes no host that is busy. */
const note = (what: string): string =>
  `test ! -e /root/busy && echo ${what} $(cat /proc/sys/kernel/random/boot_id) >> /root/hooks`;
const manifest =
  'adopt: auto\ndefaults:\n  timeouts: { activation: 30s, confirm: 8s, settle: 1ms, build: 2m, push: 1m }\n' +
  '  reboot:\n    when: after-deploy\n    deadline: 90s\n' +
  `    drain: { command: [sh, -c, '${note('drained')}'], timeout: 5s }\n` +
  `    undrain: { command: [sh, -c, '${note('undrained')}'], timeout: 5s }\n` +
  'groups: { balanced: { hosts: [h2], reboot: { drain: { workerCommand: take-out, timeout: 5s } } } }\n';

/** One story on two hosts: each test goes on where the one before it ended. */
describe('hosts whose varve.yaml has them rebooted after a deployment', () => {
  let fleet: Fleet;
  /** Where the worker's command writes down whom it took out. */
  let takenOut: string;
  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'varve-taken-out-'));
    takenOut = join(dir, 'hosts');
    await writeFile(takenOut, '');
    fleet = await startFleet({
      ...{ hosts, probeSeconds: 2, manifest, edits: every('first', '6.6.1') },
      worker: {
        commands: { 'take-out': { argv: ['sh', '-c', `echo "$VARVE_HOST $VARVE_ADDRESS" >> ${takenOut}`] } },
      },
    });
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 180_000 });
    await Promise.all(hosts.map((name) => shell(name, 'rm -f /root/hooks')));
  });
  afterAll(async () => {
    await fleet.close();
    await rm(dirname(takenOut), { recursive: true });
  });

  const shell = async (name: string, line: string): Promise<string> =>
    (await fleet.host(name).exec(['sh', '-c', line])).stdout.trimEnd();
  const bootIds = (): Promise<readonly string[]> =>
    Promise.all(hosts.map((name) => fleet.host(name).bootId()));
  const hooks = (name: string): Promise<string> => shell(name, 'cat /root/hooks 2>/dev/null');
  async function outcomes(name: string, revision: string): Promise<readonly FactOf<'outcome'>[]> {
    return (await readFacts(fleet.varve.dataDir)).outcomes(name, revision);
  }

  it('are not, as long as nothing needs a boot', async () => {
    const before = await bootIds();
    await fleet.varve.settle(await fleet.commit('Other words', every('second', '6.6.1')));
    expect(await bootIds()).toEqual(before);
    for (const name of hosts) expect(await hooks(name)).toBe('');
  });

  it('are drained, rebooted into another kernel, confirmed and undrained, one after the other', async () => {
    const before = await bootIds();
    const revision = await fleet.commit('Another kernel', every('second', '6.6.2'));
    await fleet.varve.settle(revision, undefined, { deadlineMs: 180_000 });
    const after = await bootIds();
    const turns: (readonly [number, number])[] = [];
    for (const [i, name] of hosts.entries()) {
      await expectDesiredSystem(fleet, name);
      // The worker itself takes h2 out.
      const drained = name === 'h2' ? '' : `drained ${before[i]}\n`;
      expect(await hooks(name)).toBe(`${drained}undrained ${after[i]}`);
      expect(await fleet.varve.host(name)).toMatchObject({ health: 'Healthy', rebootNeeded: [] });
      const [deployed, rebooted, ...more] = await outcomes(name, revision);
      expect(deployed).toMatchObject({ phase: 'succeeded', aim: { action: 'activate' } });
      expect(rebooted).toMatchObject({ phase: 'succeeded', aim: { action: 'reboot' } });
      expect(rebooted).not.toHaveProperty('failure');
      expect(more).toEqual([]);
      const { activating = 0, succeeded = 0 } = rebooted?.timeline ?? {};
      turns.push([activating, succeeded]);
    }
    expect(await readFile(takenOut, 'utf8')).toBe(`h2 ${fleet.host('h2').address}\n`);
    const [first, second] = turns.toSorted(([a], [b]) => a - b);
    expect(second?.[0]).toBeGreaterThanOrEqual(first?.[1] ?? Infinity);
  });

  it('are left alone while they cannot be drained, and rebooted once they can', async () => {
    const [before1, before2] = await bootIds();
    await shell('h1', 'touch /root/busy');
    const revision = await fleet.commit('One more kernel', every('second', '6.6.3'));
    await eventually(async () => (await fleet.host('h2').bootId()) !== before2, {
      what: 'h2 to be rebooted',
      deadlineMs: 120_000,
      everyMs: 500,
    });
    await fleet.varve.settle(revision, ({ failure }) => failure?.code === 'NOT_READY', {
      hosts: ['h1'],
      deadlineMs: 60_000,
    });
    expect(await fleet.host('h1').bootId()).toBe(before1);
    expect((await outcomes('h1', revision)).slice(0, 2)).toMatchObject([
      { phase: 'succeeded', aim: { action: 'activate' } },
      { phase: 'failed', aim: { action: 'reboot' }, failure: { code: 'NOT_READY' }, evidence: false },
    ]);
    await shell('h1', 'rm /root/busy');
    await fleet.varve.settle(revision, undefined, { deadlineMs: 180_000 });
    expect(await fleet.host('h1').bootId()).not.toBe(before1);
    await expectDesiredSystem(fleet, 'h1');
    expect((await outcomes('h1', revision)).at(-1)).toMatchObject({
      phase: 'succeeded',
      aim: { action: 'reboot' },
    });
  });
});
