import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseDrvPath } from '../../../shared/domain/names.ts';
import { guardBytes } from '../../../worker/guard/guard-path.ts';
import { eventually } from '../../support/eventually.ts';
import { recordingContext } from '../../support/nix-workshop.ts';
import { type DeliverStage, delivered, failed, startDeliverStage } from '../../support/deliver-stage.ts';

let stage: DeliverStage;
beforeAll(async () => {
  stage = await startDeliverStage();
});
afterAll(() => stage?.close());

/** A build script that leaves its process id as a line of a file, each time that it runs. */
function counting(file: string, script: string): string {
  return `"$busybox echo $$ >> ${file}; ${script}"\n`;
}

async function lineCount(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').length - 1;
}

/** Whether any process has this argument. */
async function isRunning(argument: string): Promise<boolean> {
  const ids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  return lines.some((line) => line.split('\0').includes(argument));
}

function never(): never {
  throw new Error('this cannot be');
}

describe('delivering', () => {
  test('a new toplevel is built, pushed with the guard, and rooted on the host', async () => {
    const web1 = (await stage.released({}))('web1');
    const context = recordingContext();
    const delivery = delivered(await stage.deliver(web1, context));
    expect(delivery).toMatchObject({ builds: 2 });
    // The toplevel, the busybox is not referenced, what is shared, and the guard.
    expect(delivery.pushedPaths).toBe(3);
    expect(delivery.pushedBytes).toBeGreaterThan(300);
    const roots = `/nix/var/nix/gcroots/varve/${web1.id}`;
    expect(await stage.host.inside('readlink', `${roots}/toplevel`)).toBe(web1.toplevel);
    expect(await stage.host.inside('cat', `${roots}/guard`)).toBe(
      Buffer.from(guardBytes).toString('utf8').trim(),
    );
    await stage.host.inside('nix-store', '--gc');
    expect(await stage.host.inside('nix-store', '--check-validity', web1.toplevel)).toBe('');
    expect(context.lines.join('\n')).toContain('building shared');

    const again = delivered(await stage.deliver(web1, recordingContext()));
    expect(again).toMatchObject({ builds: 0, pushedPaths: 0, pushedBytes: 0 });
  });

  test('what several hosts share is built once, and each build is counted once', async () => {
    const file = join(stage.workshop.outside, 'shared-builds');
    const of = await stage.released({ 'shared.nix': counting(file, '$busybox echo again > $out') });
    const outcomes = await Promise.all(
      ['web1', 'web2', 'db'].map(async (name) =>
        delivered(await stage.deliver(of(name), recordingContext())),
      ),
    );
    expect(await lineCount(file)).toBe(1);
    expect(outcomes.reduce((sum, { builds }) => sum + builds, 0)).toBe(4);
  });

  test('one that comes while what it shares is being built waits for it', async () => {
    const file = join(stage.workshop.outside, 'slow-builds');
    const gate = join(stage.workshop.outside, 'gate');
    const script = `until [ -e ${gate} ]; do $busybox sleep 0.05; done; $busybox echo slow > $out`;
    const of = await stage.released({ 'shared.nix': counting(file, script) });
    const first = stage.deliver(of('web1'), recordingContext());
    await eventually(async () => (await lineCount(file)) === 1, {
      what: 'the build to start',
      deadlineMs: 20_000,
    });
    const context = recordingContext();
    const second = stage.deliver(of('web2'), context);
    await eventually(() => context.lines.some((line) => line.startsWith('waiting for a build')), {
      what: 'the second to wait',
      deadlineMs: 20_000,
    });
    await writeFile(gate, '');
    expect(delivered(await first).builds).toBe(2);
    expect(delivered(await second).builds).toBe(1);
    expect(await lineCount(file)).toBe(1);
  });

  test('a host that has it all costs no process', async () => {
    const web1 = (await stage.released({}))('web1');
    const before = stage.workshop.started.length;
    stage.has = { toplevel: true, guard: true };
    try {
      const delivery = delivered(await stage.deliver(web1, recordingContext()));
      expect(delivery).toMatchObject({ builds: 0, pushedPaths: 0, pushedBytes: 0 });
    } finally {
      stage.has = { toplevel: false, guard: false };
    }
    expect(stage.workshop.started.length).toBe(before);
  });

  test('goes over the next connection where the known one leads nowhere', async () => {
    const web1 = (await stage.released({}))('web1');
    const nowhere = { ...stage.host.connection, port: 9 };
    const moved = { ...web1, known: [nowhere], next: stage.host.connection };
    expect(delivered(await stage.deliver(moved, recordingContext())).builds).toBe(0);
    const lost = { ...web1, known: [nowhere], next: nowhere };
    expect(failed(await stage.deliver(lost, recordingContext()))).toMatchObject({
      code: 'HOST_UNREACHABLE',
      disposition: 'transient',
    });
  });
});

describe('a build that fails', () => {
  test('stops its own host only, names the derivation, and shows the end of its log', async () => {
    const of = await stage.released({
      'hosts/web2.nix': '"$busybox echo it is broken; exit 3"\n',
    });
    const [web1, web2] = await Promise.all([
      stage.deliver(of('web1'), recordingContext()),
      stage.deliver(of('web2'), recordingContext()),
    ]);
    delivered(web1);
    const failure = failed(web2);
    expect(failure).toMatchObject({ code: 'BUILD_FAILED', disposition: 'stalled' });
    expect(failure.details?.['derivation']).toMatch(/-nixos-system-web2\.drv$/);
    expect(failure.details?.['log']).toContain('it is broken');
    expect(failure.message).toContain('exit code 3');
  });

  test('below several hosts is tried once, and each of them names it', async () => {
    const file = join(stage.workshop.outside, 'failing-builds');
    const of = await stage.released({
      'shared.nix': counting(file, '$busybox echo no luck; exit 1'),
    });
    const outcomes = await Promise.all(
      ['web1', 'web2', 'db'].map((name) => stage.deliver(of(name), recordingContext())),
    );
    for (const outcome of outcomes) {
      const failure = failed(outcome);
      expect(failure.code).toBe('BUILD_FAILED');
      expect(failure.details?.['derivation']).toMatch(/-shared\.drv$/);
      expect(failure.details?.['log']).toContain('no luck');
    }
    expect(await lineCount(file)).toBe(1);

    const bad = parseDrvPath(failed(outcomes[0] ?? never()).details?.['derivation'] ?? '');
    const again = failed(await stage.deliver({ ...of('web1'), knownBad: [bad] }, recordingContext()));
    expect(again).toMatchObject({ code: 'BUILD_FAILED', details: { derivation: bad } });
    expect(await lineCount(file)).toBe(1);
  });

  test('is not tried again by one that waited for it', async () => {
    const file = join(stage.workshop.outside, 'failing-slowly');
    const gate = join(stage.workshop.outside, 'gate-to-failure');
    const script = `until [ -e ${gate} ]; do $busybox sleep 0.05; done; exit 1`;
    const of = await stage.released({ 'shared.nix': counting(file, script) });
    const first = stage.deliver(of('web1'), recordingContext());
    await eventually(async () => (await lineCount(file)) === 1, {
      what: 'the build to start',
      deadlineMs: 20_000,
    });
    const context = recordingContext();
    const second = stage.deliver(of('web2'), context);
    await eventually(() => context.lines.some((line) => line.startsWith('waiting for a build')), {
      what: 'the second to wait',
      deadlineMs: 20_000,
    });
    await writeFile(gate, '');
    expect(failed(await first).code).toBe('BUILD_FAILED');
    expect(failed(await second).code).toBe('BUILD_FAILED');
    expect(await lineCount(file)).toBe(1);
  });

  test('by taking too long is tried again', async () => {
    const of = await stage.released({ 'shared.nix': '"$busybox sleep 100; exit 1"\n' });
    const web1 = of('web1');
    const timeouts = { ...web1.timeouts, buildMs: 700 };
    const failure = failed(await stage.deliver({ ...web1, timeouts }, recordingContext()));
    expect(failure).toMatchObject({ code: 'BUILD_LIMIT', disposition: 'transient' });
  });

  test('for want of room on the disk is tried again', async () => {
    const of = await stage.released({
      'shared.nix': '"$busybox echo write error: No space left on device; exit 1"\n',
    });
    expect(failed(await stage.deliver(of('web1'), recordingContext()))).toMatchObject({
      code: 'DISK_FULL',
      disposition: 'transient',
    });
  });

  test('is given up with its processes when the delivery is cancelled', async () => {
    const file = join(stage.workshop.outside, 'cancelled-builds');
    const of = await stage.released({ 'shared.nix': counting(file, '$busybox sleep 1000.25') });
    const stop = new AbortController();
    const running = stage.deliver(of('web1'), recordingContext(stop.signal));
    await eventually(async () => (await lineCount(file)) === 1, {
      what: 'the build to start',
      deadlineMs: 20_000,
    });
    stop.abort();
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    await eventually(async () => !(await isRunning('1000.25')), {
      what: 'the builder to be gone',
      deadlineMs: 10_000,
    });
  });
});

describe('what was collected', () => {
  const storeNix = (...args: readonly string[]) =>
    stage.workshop.nix.run(['nix-store', ...args], { signal: undefined, deadlineMs: 60_000 });

  test('stays while it is rooted', async () => {
    const web1 = (await stage.released({ 'hosts/web1.nix': '"$busybox echo rooted > $out/x"\n' }))('web1');
    delivered(await stage.deliver(web1, recordingContext()));
    expect((await storeNix('--gc')).code).toBe(0);
    expect((await storeNix('--check-validity', web1.toplevel)).code).toBe(0);
    expect((await storeNix('--check-validity', web1.drvPath ?? '')).code).toBe(0);
  });

  test('is built again from its derivation', async () => {
    const web1 = (await stage.released({ 'hosts/web1.nix': '"$busybox echo collected > $out/x"\n' }))('web1');
    delivered(await stage.deliver(web1, recordingContext()));
    await rm(join(stage.workshop.rootsFolder, 'hosts'), { recursive: true });
    await storeNix('--delete', web1.toplevel);
    expect((await storeNix('--check-validity', web1.toplevel)).code).not.toBe(0);
    const again = delivered(await stage.deliver({ ...web1, id: stage.nextId() }, recordingContext()));
    expect(again).toMatchObject({ builds: 1, pushedPaths: 0, pushedBytes: 0 });
  });

  test('is evaluated again when its derivation is gone too', async () => {
    const web1 = (await stage.released({ 'hosts/web1.nix': '"$busybox echo twice > $out/x"\n' }))('web1');
    delivered(await stage.deliver(web1, recordingContext()));
    await rm(stage.workshop.rootsFolder, { recursive: true });
    expect((await storeNix('--gc')).code).toBe(0);
    expect((await storeNix('--check-validity', web1.drvPath ?? '')).code).not.toBe(0);
    const context = recordingContext();
    const again = delivered(await stage.deliver({ ...web1, id: stage.nextId() }, context));
    expect(again.builds).toBe(2);
    expect(context.lines).toContain('the derivation is not here any more: evaluating again');
  });

  test('and evaluates to something else now is refused', async () => {
    const before = (await stage.released({ 'hosts/web1.nix': '"$busybox echo before > $out/x"\n' }))('web1');
    const after = (await stage.released({ 'hosts/web1.nix': '"$busybox echo after > $out/x"\n' }))('web1');
    await rm(stage.workshop.rootsFolder, { recursive: true });
    expect((await storeNix('--gc')).code).toBe(0);
    const failure = failed(await stage.deliver({ ...before, tree: after.tree }, recordingContext()));
    expect(failure).toMatchObject({ code: 'RELEASE_MISMATCH', disposition: 'stalled' });
  });
});
