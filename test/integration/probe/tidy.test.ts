import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { ProbeReport, ProbeTarget, Tidy } from '../../../shared/domain/contact.ts';
import { parseStorePath } from '../../../shared/domain/names.ts';
import { guardStorePath } from '../../../worker/guard/guard-path.ts';
import { setProfile, switchTo } from '../../hosts/by-hand.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { eventually } from '../../support/eventually.ts';
import { type Workbench, guardHost, owner } from '../guard/support.ts';
import { pointers, shell } from '../hosts/support.ts';

const motd = (text: string): string => `{ roles, ... }: { imports = [ (roles.motd "${text}") ]; }`;
const files = { a: motd('a'), b: motd('b'), c: motd('c'), d: motd('d') };

let host: TestHost;
let bench: Workbench;
let systems: typeof files;

beforeAll(async () => {
  const made = await guardHost(files, { adopted: false });
  ({ host, bench, systems } = made);
  await report({ adopt: { owner, takeover: false } });
  return made.close;
});

const report = async (wish?: Partial<ProbeTarget>): Promise<ProbeReport> => {
  const contact = await bench.probe(wish);
  if (contact.kind !== 'reached') throw new Error(contact.failure.message);
  return contact.report;
};

/** Makes profile generations by hand, and gives the number of the last one. */
async function generate(...toplevels: readonly string[]): Promise<number> {
  for (const toplevel of toplevels) await setProfile(host, toplevel);
  return Number((await shell(host, 'readlink /nix/var/nix/profiles/system')).split('-')[1]);
}

async function numbers(): Promise<readonly number[]> {
  const listed = await shell(host, 'ls -d /nix/var/nix/profiles/system-*-link');
  return listed
    .split('\n')
    .map((line) => Number(line.split('-')[1]))
    .toSorted((a, b) => a - b);
}

const menu = async (): Promise<readonly number[]> =>
  (await shell(host, 'cut -d" " -f1 /boot/menu')).split('\n').map(Number);

/** What is ordered of a host on `d`. */
async function order(wish: Partial<Tidy> = {}): Promise<Tidy> {
  const { profile, profileGeneration } = await report();
  return {
    profile: parseStorePath(profile ?? ''),
    generation: profileGeneration ?? 0,
    generations: [],
    bootMenu: false,
    collectGarbage: false,
    ...wish,
  };
}

const retain = (keep: number, ...toplevels: readonly string[]): ProbeTarget['retain'] => ({
  owner,
  toplevels: toplevels.map(parseStorePath),
  keep,
});

describe('a host that is to lose profile generations', () => {
  let newest: number;
  beforeEach(async () => {
    await shell(host, 'rm -rf /nix/var/varve/tidied /nix/var/varve/collected /boot/menu.new');
    const { a, b, c, d } = systems;
    newest = await generate(a, b, c, d);
    await switchTo(host, d, 'switch');
  });

  it('tells of them only where there are more than the policy keeps, newest first', async () => {
    const all = await numbers();
    expect((await report({ retain: retain(all.length) })).generations).toEqual([]);
    const { generations } = await report({ retain: retain(all.length - 1) });
    expect(generations.map(({ number }) => number)).toEqual(all.toReversed());
    expect(generations.slice(0, 2)).toEqual([
      { number: newest, toplevel: systems.d },
      { number: newest - 1, toplevel: systems.c },
    ]);
  });

  it('loses just these, its boot menu too, and says so in the same report', async () => {
    const before = await numbers();
    expect(await menu()).toEqual(before);
    const tidy = await order({ generations: [newest - 3, newest - 2] });
    const { tidied, generations } = await report({ tidy, retain: retain(1) });
    expect(tidied).toMatchObject({ failures: 0, failure: undefined });
    const after = before.filter((number) => !tidy.generations.includes(number));
    expect(generations.map(({ number }) => number)).toEqual(after.toReversed());
    expect(await numbers()).toEqual(after);
    expect(await menu()).toEqual(after);
    expect(await pointers(host)).toMatchObject({ current: systems.d, bootDefault: systems.d });
    expect(await shell(host, 'journalctl --no-pager --unit=varve-tidy')).toContain(
      `generations that go: ${newest - 3} ${newest - 2}`,
    );
  });

  it('keeps what it runs, what it was booted with and what its profile is, whatever is ordered', async () => {
    const [booted = 0] = await numbers();
    await switchTo(host, systems.c, 'test');
    try {
      const tidy = await order({ generations: await numbers() });
      await report({ tidy });
      const left = await numbers();
      expect(left).toEqual(expect.arrayContaining([booted, newest - 1, newest]));
      expect(left).not.toContain(newest - 3);
      expect(left).not.toContain(newest - 2);
    } finally {
      await switchTo(host, systems.d, 'test');
    }
  });

  it('does nothing if its profile is not what it was thought to be', async () => {
    const tidy = await order({ generations: [newest - 3] });
    const before = [...(await numbers()), newest + 1];
    await generate(systems.c);
    await report({ tidy });
    expect(await numbers()).toEqual(before);
    await shell(host, `nix-env --profile /nix/var/nix/profiles/system --switch-generation ${newest}`);
    await shell(host, `nix-env --profile /nix/var/nix/profiles/system --delete-generations ${newest + 1}`);
  });

  it.for(['lock', 'run.lock'])('does nothing while somebody has %s', async (lock) => {
    const before = await numbers();
    await shell(
      host,
      `rm -f /run/done; systemd-run -q --unit holder flock /nix/var/varve/${lock} ` +
        `sh -c "until [ -e /run/done ]; do sleep 0.05; done"; until ! flock -n /nix/var/varve/${lock} true; do :; done`,
    );
    try {
      const tidy = await order({ generations: [newest - 3] });
      expect((await report({ tidy })).tidied).toBeUndefined();
      expect(await numbers()).toEqual(before);
    } finally {
      await shell(host, `touch /run/done; flock /nix/var/varve/${lock} true`);
    }
  });

  it('says that its boot menu could not be written, and writes it only when that is ordered', async () => {
    await shell(host, 'mkdir /boot/menu.new');
    const tidy = await order({ generations: [newest - 3] });
    const failed = await report({ tidy });
    expect(failed.tidied).toMatchObject({
      failures: 1,
      failure: 'the boot menu could not be written: switch-to-configuration boot ended with status 1',
    });
    expect(await numbers()).not.toContain(newest - 3);
    expect((await report({ tidy })).tidied?.failures).toBe(1);
    expect((await report({ tidy: await order({ bootMenu: true }) })).tidied?.failures).toBe(2);
    await shell(host, 'rmdir /boot/menu.new');
    expect((await report({ tidy: await order({ bootMenu: true }) })).tidied).toMatchObject({ failures: 0 });
    expect(await menu()).toEqual(await numbers());
  });

  it('drops roots of deliveries that came to nothing a day ago, and no younger ones', async () => {
    const roots = '/nix/var/nix/gcroots/varve';
    await shell(host, `mkdir -p ${roots}/dold ${roots}/dnew && touch -d "2 days ago" ${roots}/dold`);
    await report({ tidy: await order({ generations: [newest - 3] }) });
    expect(await shell(host, `cd ${roots} && ls -d dold dnew 2> /dev/null || true`)).toBe('dnew');
  });

  it('has its garbage collected, and what it may have to return to stays, whoever deletes generations', async () => {
    const { a, c, d } = systems;
    // As every activation does it; here none was.
    await shell(host, `ln -sfn ${guardStorePath()} /nix/var/nix/gcroots/varve/guard`);
    await report({ retain: retain(1, d, c) });
    // As a person does who wants room.
    await shell(host, 'nix-env --profile /nix/var/nix/profiles/system --delete-generations old');
    const { collectedAgoMs } = await report({ tidy: await order({ collectGarbage: true }) });
    expect(collectedAgoMs).toBeLessThan(60_000);
    await eventually(async () => (await shell(host, `[ -e ${a} ] || echo gone`)) === 'gone', {
      what: 'the garbage to be collected',
      deadlineMs: 60_000,
    });
    expect(await report({ ask: [c, d].map(parseStorePath) })).toMatchObject({ rooted: [c, d] });
    await bench.mustSucceed(c);
    expect(await pointers(host)).toMatchObject({ current: c, profile: c, bootDefault: c });
    await report({ retain: retain(1, c) });
    expect(await shell(host, 'ls /nix/var/nix/gcroots/varve/kept')).toBe(c.slice('/nix/store/'.length));
  });
});
