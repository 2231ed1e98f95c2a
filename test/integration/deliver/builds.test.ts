import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { parseDrvPath, parseStorePath } from '../../../shared/domain/names.ts';
import { createBuilds, type BuildRequest, type Builds } from '../../../worker/deliver/builds.ts';
import { createNix, type Nix } from '../../../worker/nix/nix.ts';
import { addBusybox, createWorkshop, recordingContext, type Workshop } from '../../support/nix-workshop.ts';

let workshop: Workshop;
let nix: Nix;
let builds: Builds;
/** What builds write down, and what a slow one waits for. */
let tried: string;
let gate: string;
let round = 0;

beforeAll(async () => {
  workshop = await createWorkshop();
  await addBusybox(workshop);
  nix = createNix({
    run: workshop.run,
    settings: {
      config: { ...workshop.nixConfig, 'max-jobs': '4' },
      home: join(workshop.folder, 'home'),
      environment: {},
    },
  });
  builds = createBuilds({ nix, store: workshop.store });
});
afterAll(() => workshop.close());
beforeEach(() => {
  round += 1;
  tried = join(workshop.outside, `tried-${round}`);
  gate = join(workshop.outside, `gate-${round}`);
});

interface Script {
  readonly script: string;
  /** Names of what must be built before. */
  readonly needs?: readonly string[];
}

/** Derivations of these scripts, by name. */
async function derivations(
  scripts: Readonly<Record<string, Script>>,
): Promise<(name: string) => BuildRequest> {
  const lines = Object.entries(scripts).map(([name, { script, needs = [] }]) => {
    const before = needs.map((each) => `all.${each}`).join(' ');
    return `${name} = make "${name}-${round}" ''echo ${name} >> ${tried}; ${script}'' [ ${before} ];`;
  });
  const expression = `let
    bb = builtins.path { path = ${join(workshop.repository, 'bb')}; name = "busybox-static"; };
    make = name: script: needs: derivation {
      inherit name needs;
      system = "x86_64-linux";
      builder = "\${bb}/bin/busybox";
      args = [ "sh" "-ec" script ];
      busybox = "\${bb}/bin/busybox";
    };
    all = { ${lines.join(' ')} };
  in builtins.mapAttrs (_: each: { inherit (each) drvPath; toplevel = each.outPath; }) all`;
  const { stdout, errors } = await nix.run(['nix', 'eval', '--impure', '--json', '--expr', expression], {
    signal: undefined,
    deadlineMs: 30_000,
  });
  expect(errors).toEqual([]);
  const found: Record<string, { drvPath: string; toplevel: string }> = JSON.parse(stdout.toString('utf8'));
  return (name) => ({
    drvPath: parseDrvPath(found[name]?.drvPath ?? ''),
    toplevel: parseStorePath(found[name]?.toplevel ?? ''),
    knownBad: [],
    deadlineMs: 60_000,
  });
}

const quick = '$busybox touch $out';
const slow = (): string => `until [ -e ${gate} ]; do $busybox sleep 0.1; done; $busybox touch $out`;
const realise = (request: BuildRequest): Promise<{ readonly builds: number }> =>
  builds.realise(request, recordingContext());
const triedNames = async (): Promise<readonly string[]> =>
  (await readFile(tried, 'utf8')).trim().split('\n').toSorted();

describe('a build that takes its time', () => {
  it('holds up no other that shares only a part and the process with it', async () => {
    const all = await derivations({
      part: { script: quick },
      patient: { script: slow(), needs: ['part'] },
      brisk: { script: quick, needs: ['part'] },
    });
    const patient = realise(all('patient'));
    const first = await Promise.race([
      realise(all('brisk')).then(() => 'brisk'),
      patient.then(() => 'patient'),
    ]);
    expect(first).toBe('brisk');
    await writeFile(gate, '');
    await patient;
    expect(await triedNames()).toEqual(['brisk', 'part', 'patient']);
  });

  it('holds up none that comes later and needs what is built already', async () => {
    const all = await derivations({
      part: { script: quick },
      patient: { script: slow(), needs: ['part'] },
      late: { script: quick, needs: ['part'] },
    });
    const patient = realise(all('patient'));
    await expect.poll(() => triedNames().catch(() => []), { timeout: 20_000 }).toContain('patient');
    await realise(all('late'));
    await writeFile(gate, '');
    await patient;
    expect(await triedNames()).toEqual(['late', 'part', 'patient']);
  });

  it('does not hold back the failure of another one', async () => {
    const all = await derivations({
      part: { script: quick },
      patient: { script: slow(), needs: ['part'] },
      bad: { script: 'exit 3', needs: ['part'] },
      worse: { script: quick, needs: ['bad'] },
    });
    const patient = realise(all('patient'));
    const details = { derivation: all('bad').drvPath };
    const [bad, worse] = await Promise.allSettled([realise(all('bad')), realise(all('worse'))]);
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'BUILD_FAILED', details } });
    expect(worse).toMatchObject({ status: 'rejected', reason: { code: 'BUILD_FAILED', details } });
    await writeFile(gate, '');
    await patient;
    expect(await triedNames()).toEqual(['bad', 'part', 'patient']);
  });

  it('is built once for all that need it', async () => {
    const all = await derivations({
      part: { script: slow() },
      one: { script: quick, needs: ['part'] },
      other: { script: quick, needs: ['part'] },
      late: { script: quick, needs: ['part'] },
    });
    const early = [realise(all('one')), realise(all('other'))];
    await expect.poll(() => triedNames().catch(() => []), { timeout: 20_000 }).toContain('part');
    const late = realise(all('late'));
    await writeFile(gate, '');
    const counts = await Promise.all([...early, late]);
    expect(await triedNames()).toEqual(['late', 'one', 'other', 'part']);
    expect(counts.reduce((sum, { builds: count }) => sum + count, 0)).toBe(4);
  });

  it('tells how many of the derivations that it needs have been built', async () => {
    const all = await derivations({
      part: { script: quick },
      other: { script: quick, needs: ['part'] },
      whole: { script: quick, needs: ['part', 'other'] },
    });
    const context = recordingContext();
    await builds.realise(all('whole'), context);
    // Other things that Nix ends in between are told with the same number.
    const told = context.steps.filter((step, i) => step.done !== context.steps[i - 1]?.done);
    expect(told.filter(({ done }) => done > 0)).toEqual(
      [1, 2, 3].map((done) => ({ what: 'building', done, total: 3 })),
    );
  });
});
