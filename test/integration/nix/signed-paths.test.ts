import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { parseDrvPath, parseStorePath, type StorePath } from '../../../shared/domain/names.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { generateSigningKey, parseSigningKey, publicKeyOf } from '../../../shared/platform/signing-key.ts';
import { archiveOf } from '../../../worker/nix/nar.ts';
import { formatNarinfo, parseNarinfo } from '../../../worker/nix/narinfo.ts';
import { createNix, type Nix, type NixResult } from '../../../worker/nix/nix.ts';
import { encodePathInfo, type ValidPathInfo } from '../../../worker/nix/protocol/path-info.ts';
import { createWireReader, encodeNumber, type WireReader } from '../../../worker/nix/protocol/wire.ts';
import { signPath, verifySignature } from '../../../worker/nix/signing.ts';
import type { PathInfo } from '../../../worker/nix/store.ts';
import { addBusybox, createWorkshop, type Workshop } from '../../support/nix-workshop.ts';

const options = { signal: undefined, deadlineMs: 60_000 };
const secret = generateSigningKey('fleet.example.org-1');
const key = parseSigningKey(secret);

let workshop: Workshop;
let toplevel: StorePath;
/** What was built, and what it references: references first. */
let closure: readonly PathInfo[];

beforeAll(async () => {
  workshop = await createWorkshop();
  await addBusybox(workshop);
  const expression = `let
    bb = builtins.path { path = ${join(workshop.repository, 'bb')}; name = "busybox-static"; };
    make = name: before: derivation {
      inherit name;
      system = "x86_64-linux";
      builder = "\${bb}/bin/busybox";
      args = [ "sh" "-ec" "\${bb}/bin/busybox mkdir $out; echo \${bb} \${before} $out > $out/all" ];
    };
    each = make "top" (make "below" "");
  in { inherit (each) drvPath; toplevel = each.outPath; }`;
  const said = await ok(workshop.nix, ['nix', 'eval', '--impure', '--json', '--expr', expression]);
  const found = JSON.parse(said) as { drvPath: string; toplevel: string };
  await ok(workshop.nix, ['nix-store', '--realise', parseDrvPath(found.drvPath)]);
  toplevel = parseStorePath(found.toplevel);
  const order = (await ok(workshop.nix, ['nix-store', '--query', '--requisites', toplevel])).split('\n');
  const infos = await workshop.store.closure([toplevel], options);
  closure = infos.toSorted((a, b) => order.indexOf(a.path) - order.indexOf(b.path));
});
afterAll(() => workshop.close());

async function ok(nix: Nix, command: Parameters<Nix['run']>[0]): Promise<string> {
  const { code, stdout, stderrTail } = await nix.run(command, options);
  expect(code, stderrTail).toBe(0);
  return stdout.toString('utf8').trim();
}

/** Nix with a new store, which takes from others only what our key has signed. */
function newHost(name: string): Nix {
  const store = `local?root=${join(workshop.folder, name)}`;
  const config = { ...workshop.nixConfig, store, 'trusted-public-keys': publicKeyOf(key) };
  return createNix({ run: createRun(), settings: { config, home: workshop.folder, environment: {} } });
}

async function archive({ path }: ValidPathInfo): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of archiveOf(join(workshop.storeRoot, path))) pieces.push(piece);
  return Buffer.concat(pieces);
}

const asSigned = (info: ValidPathInfo): ValidPathInfo => ({
  ...info,
  ultimate: false,
  signatures: [signPath(key, info)],
});
const asUnsigned = (info: ValidPathInfo): ValidPathInfo => ({ ...info, ultimate: false, signatures: [] });

describe('a binary cache of our archives and narinfo files', () => {
  async function copyFrom(name: string, said: (info: ValidPathInfo) => ValidPathInfo): Promise<NixResult> {
    const cache = join(workshop.folder, `${name}-cache`);
    await mkdir(join(cache, 'nar'), { recursive: true });
    await writeFile(join(cache, 'nix-cache-info'), 'StoreDir: /nix/store\n');
    for (const info of closure) {
      const digest = basename(info.path).slice(0, 32);
      const bytes = await archive(info);
      await writeFile(join(cache, `nar/${digest}.nar`), bytes);
      const file = { url: `nar/${digest}.nar`, fileHash: info.narHash, fileSize: bytes.length };
      const text = formatNarinfo({ info: said(info), compression: 'none', ...file });
      await writeFile(join(cache, `${digest}.narinfo`), text);
    }
    return newHost(name).run(['nix', 'copy', '--from', `file://${cache}`, toplevel], options);
  }

  it('is one that a host takes signed paths from', async () => {
    expect(closure).toHaveLength(3);
    const { code, stderrTail } = await copyFrom('taker', asSigned);
    expect(code, stderrTail).toBe(0);
    const host = newHost('taker');
    await ok(host, ['nix', 'store', 'verify', '--recursive', toplevel]);
    expect(await ok(host, ['nix', 'path-info', '--sigs', toplevel])).toContain(
      closure.map((info) => signPath(key, info)).at(-1),
    );
  });

  it('is one that a host takes no unsigned paths from', async () => {
    const { code, errors } = await copyFrom('refuser', asUnsigned);
    expect(code).not.toBe(0);
    expect(errors.map(({ text }) => text).join('\n')).toMatch(/lacks a (?:valid )?signature/);
  });

  it('is read as one of Nix’s own is, and what Nix signs is signed', async () => {
    const cache = join(workshop.folder, 'of-nix');
    const file = join(workshop.folder, 'secret');
    await writeFile(file, secret);
    await ok(workshop.nix, ['nix', 'copy', '--to', `file://${cache}?secret-key=${file}`, toplevel]);
    for (const info of closure) {
      const name = `${basename(info.path).slice(0, 32)}.narinfo`;
      const text = await readFile(join(cache, name), 'utf8');
      const read = parseNarinfo(text);
      expect(read.info).toEqual({ ...asSigned(info), registeredAt: 0 });
      expect(read.info.signatures.map((each) => verifySignature(publicKeyOf(key), info, each))).toEqual([
        true,
      ]);
      expect(formatNarinfo(read)).toBe(text);
    }
  });
});

describe('a daemon', () => {
  it('takes paths whose infos and archives are written here, and says of them what was written', async () => {
    const child = newHost('daemon').start(['nix-daemon', '--stdio']);
    const reader = createWireReader(child.stdout);
    const hello = [0x6e697863, 0x122, 0, 0].map(encodeNumber);
    child.stdin.write(Buffer.concat(hello));
    expect(await reader.number()).toBe(0x6478696f);
    await reader.number();
    await reader.text();
    await untilLast(reader);
    for (const info of closure.map(asSigned)) {
      const bytes = await archive(info);
      // Nothing is repaired, signatures are checked, and the archive is one frame.
      const request = [encodeNumber(39), encodePathInfo(info), encodeNumber(0), encodeNumber(0)];
      child.stdin.write(Buffer.concat([...request, encodeNumber(bytes.length), bytes, encodeNumber(0)]));
      await untilLast(reader);
    }
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.stdin.end();
    await exited;
    await ok(newHost('daemon'), ['nix', 'store', 'verify', '--recursive', toplevel]);
    const json = await ok(newHost('daemon'), ['nix', 'path-info', '--json', '--recursive', toplevel]);
    expect(json).toContain(signPath(key, closure.at(-1)!));
  });
});

/** Of an older version, 1.34: it says nothing but that it is done. */
async function untilLast(reader: WireReader): Promise<void> {
  expect((await reader.number()).toString(16)).toBe('616c7473');
}
