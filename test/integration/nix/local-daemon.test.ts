import { ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { isStorePath, parseDrvPath, parseStorePath, type StorePath } from '../../../shared/domain/names.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { formatHash } from '../../../worker/nix/hash.ts';
import { createLocalDaemon, type LocalDaemon } from '../../../worker/nix/local-daemon.ts';
import { createNix, type Nix } from '../../../worker/nix/nix.ts';
import { encodeNumber, encodeText } from '../../../worker/nix/protocol/wire.ts';
import { createNixStore, type NixStore } from '../../../worker/nix/store.ts';
import { eventually } from '../../support/eventually.ts';
import { addBusybox, createWorkshop, type Workshop } from '../../support/nix-workshop.ts';

const options = { signal: undefined, deadlineMs: 30_000 };

let workshop: Workshop;
let drvPath: string;
let toplevel: StorePath;

async function nixSays(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderrTail } = await workshop.nix.run(['nix-store', ...args], options);
  expect(code, stderrTail).toBe(0);
  return stdout.toString('utf8').trim();
}

beforeAll(async () => {
  workshop = await createWorkshop();
  await addBusybox(workshop);
  const expression = `let
    bb = builtins.path { path = ${join(workshop.repository, 'bb')}; name = "busybox-static"; };
    make = name: before: derivation {
      inherit name;
      system = "x86_64-linux";
      builder = "\${bb}/bin/busybox";
      args = [ "sh" "-ec" "echo \${bb} \${before} > $out" ];
    };
    each = make "top" (make "below" "");
  in { inherit (each) drvPath; toplevel = each.outPath; }`;
  const { stdout } = await workshop.nix.run(
    ['nix', 'eval', '--impure', '--json', '--expr', expression],
    options,
  );
  const found = JSON.parse(stdout.toString('utf8')) as { drvPath: string; toplevel: string };
  drvPath = found.drvPath;
  toplevel = parseStorePath(found.toplevel);
});
afterAll(() => workshop.close());

/** Daemons whose processes are counted. */
function counted(limits: { idleMs?: number; oldestMs?: number } = {}): {
  daemon: LocalDaemon;
  store: NixStore;
  pids: number[];
} {
  const pids: number[] = [];
  const nix: Pick<Nix, 'start'> = {
    start(command) {
      const child = workshop.nix.start(command);
      pids.push(child.pid ?? 0);
      return child;
    },
  };
  const daemon = createLocalDaemon({ nix, ...limits });
  closers.push(() => daemon.close());
  return { daemon, store: createNixStore({ nix: workshop.nix, daemon }), pids };
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the store, asked through a daemon of our own', () => {
  it('says what would be built, what is valid, and what a closure consists of, as Nix itself does', async () => {
    const { store, pids } = counted();
    const drv = parseDrvPath(drvPath);
    const { willBuild } = await store.plan(drv, options);
    expect(willBuild.map((path) => path.replace(/^.*?-/, '')).toSorted()).toEqual(['below.drv', 'top.drv']);
    expect(await store.invalid([toplevel, drv], options)).toEqual(new Set([toplevel]));

    await nixSays('--realise', drvPath);

    // Nobody told the daemon that something was built.
    expect(await store.invalid([toplevel, drv], options)).toEqual(new Set());
    expect(await store.plan(drv, options)).toEqual({ willBuild: [], willFetch: [] });
    const closure = await store.closure([toplevel], options);
    const requisites = (await nixSays('--query', '--requisites', toplevel)).split('\n');
    expect(closure.map(({ path }) => path).toSorted()).toEqual(requisites.toSorted());
    for (const { path, narSize, narHash, references, deriver } of closure) {
      expect(`${narSize}`).toBe(await nixSays('--query', '--size', path));
      expect(formatHash(narHash)).toBe(await nixSays('--query', '--hash', path));
      const named = await nixSays('--query', '--references', path);
      expect(references.toSorted().join('\n')).toBe(named.split('\n').toSorted().join('\n'));
      expect(deriver ?? 'unknown-deriver').toBe(await nixSays('--query', '--deriver', path));
    }
    expect(pids).toHaveLength(1);

    await nixSays('--delete', '--ignore-liveness', toplevel);
    expect(await store.invalid([toplevel], options)).toEqual(new Set([toplevel]));
  });

  it('has no closure of what is not valid, and no plan for a derivation that is not there', async () => {
    const { store } = counted();
    const nowhere = `/nix/store/${'0'.repeat(32)}-nowhere`;
    expect(isStorePath(nowhere)).toBe(true);
    await expect(store.closure([parseStorePath(nowhere)], options)).rejects.toThrow(
      `${nowhere} is not valid`,
    );
    await expect(store.plan(parseDrvPath(`${nowhere}.drv`), options)).rejects.toMatchObject({
      code: 'INTERNAL',
    });
  });

  it('is asked of as many daemons as there are questions at the time, which are used again', async () => {
    const { store, pids } = counted();
    await Promise.all([1, 2, 3].map(() => store.invalid([toplevel], options)));
    expect(pids).toHaveLength(3);
    await Promise.all([1, 2, 3].map(() => store.invalid([toplevel], options)));
    expect(pids).toHaveLength(3);
  });

  it('is asked of another daemon when those of before have ended, which nobody need have noticed', async () => {
    const { store, pids } = counted();
    const invalid = () => store.invalid([toplevel], options);
    await Promise.all([invalid(), invalid()]);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    expect(await invalid()).toEqual(new Set([toplevel]));
    expect(pids).toHaveLength(3);
  });

  it('keeps no daemon that nobody asks, and none once it is closed', async () => {
    const { daemon, store, pids } = counted({ idleMs: 50 });
    await store.invalid([toplevel], options);
    await eventually(() => pids.every((pid) => !isAlive(pid)), { what: 'no daemon', deadlineMs: 5_000 });
    await store.invalid([toplevel], options);
    await daemon.close();
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

/** What a daemon of version 1.32 says to somebody whom it does not let in. */
const refusal = Buffer.concat([
  ...[encodeNumber(0x6478696f), encodeNumber(0x120), encodeNumber(0x63787470)],
  ...[encodeText('Error'), encodeNumber(0), encodeText('Error'), encodeText('no')],
  ...[encodeNumber(0), encodeNumber(0)],
]);

/** For `printf` of a shell. */
function octal(bytes: Buffer): string {
  return [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

describe('a daemon', () => {
  it('that has become old is not asked again', async () => {
    const { store, pids } = counted({ oldestMs: 0 });
    await store.invalid([toplevel], options);
    await store.invalid([toplevel], options);
    expect(new Set(pids).size).toBe(2);
    await eventually(() => pids.every((pid) => !isAlive(pid)), { what: 'no daemon', deadlineMs: 5_000 });
  });

  it('is not started any more once all are closed', async () => {
    const { daemon, store, pids } = counted();
    await daemon.close();
    await expect(store.invalid([toplevel], options)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(pids).toEqual([]);
  });
});

describe('a question that is not answered', () => {
  let standIns = 0;

  /** A program in the place of `nix-daemon`. */
  async function standIn(script: string): Promise<LocalDaemon> {
    standIns += 1;
    const folder = join(workshop.folder, `bin-${standIns}`);
    await mkdir(folder);
    if (script !== '') await writeFile(join(folder, 'nix-daemon'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const nix = createNix({
      run: createRun(),
      settings: {
        config: {},
        home: workshop.folder,
        environment: { PATH: script === '' ? folder : `${folder}:/usr/bin:/bin` },
      },
    });
    const daemon = createLocalDaemon({ nix });
    closers.push(() => daemon.close());
    return daemon;
  }
  const ask = (daemon: LocalDaemon, limits: Parameters<LocalDaemon['ask']>[1]): Promise<unknown> =>
    daemon.ask((client) => client.validPaths([toplevel]), limits);

  it('is given up at its deadline', async () => {
    const daemon = await standIn('exec sleep 60');
    await expect(ask(daemon, { signal: undefined, deadlineMs: 100 })).rejects.toMatchObject({
      code: 'TIMED_OUT',
    });
  });

  it('comes to its end whatever a program says, and with all that it has started', async () => {
    const talkative = await standIn('head -c 300000 /dev/zero; exec sleep 60');
    await expect(ask(talkative, options)).rejects.toMatchObject({ code: 'INTERNAL' });
    const folder = workshop.folder;
    const parent = await standIn(`sleep 60 & echo $! > ${folder}/started; wait`);
    await expect(ask(parent, { ...options, deadlineMs: 1_000 })).rejects.toMatchObject({ code: 'TIMED_OUT' });
    const started = Number(await readFile(join(folder, 'started'), 'utf8'));
    await eventually(() => !isAlive(started), { what: 'the end of what it started', deadlineMs: 5_000 });
  });

  it('is given up when nobody wants it any more', async () => {
    const daemon = await standIn('exec sleep 60');
    const stop = new AbortController();
    const asked = ask(daemon, { signal: stop.signal, deadlineMs: 30_000 });
    stop.abort();
    await expect(asked).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('says what the daemon complained of', async () => {
    const daemon = await standIn('echo "error: the store is on fire" >&2; exit 1');
    await expect(ask(daemon, options)).rejects.toThrow(
      /it ended in the middle of an answer: .*the store is on fire/s,
    );
  });

  it('is refused by a daemon that takes nobody, and the next one is asked anew', async () => {
    const counter = join(workshop.folder, 'asked');
    const daemon = await standIn(`echo x >> ${counter}; printf '${octal(refusal)}'; exec sleep 60`);
    await expect(ask(daemon, options)).rejects.toThrow('nix-daemon: no');
    await expect(ask(daemon, options)).rejects.toThrow('nix-daemon: no');
    expect(await readFile(counter, 'utf8')).toBe('x\nx\n');
  });

  it('fails alone where the system has no files to spare for a daemon', async () => {
    const start = () => {
      const child = new ChildProcess() as ChildProcessWithoutNullStreams;
      process.nextTick(() => child.emit('error', new Error('spawn nix-daemon EMFILE')));
      return child;
    };
    const daemon = createLocalDaemon({ nix: { start } });
    await expect(ask(daemon, options)).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'nix-daemon: spawn nix-daemon EMFILE',
    });
    await daemon.close();
  });

  it('for want of room on the disk says what to do', async () => {
    const daemon = await standIn('echo "error: writing to file: No space left on device" >&2; exit 1');
    await expect(ask(daemon, options)).rejects.toMatchObject({ code: 'DISK_FULL' });
  });

  it('says how to get a daemon where there is none', async () => {
    const daemon = await standIn('');
    await expect(ask(daemon, options)).rejects.toMatchObject({ code: 'PROGRAM_MISSING' });
  });
});
