import { chmod, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { generateSigningKey, parseSigningKey, publicKeyOf } from '../../../shared/platform/signing-key.ts';
import { signPath } from '../../../worker/nix/signing.ts';
import type { PathInfo } from '../../../worker/nix/store.ts';
import { closureOf } from '../../support/closures.ts';
import { expectWhole, validPaths } from '../../support/host-store.ts';
import type { LoopbackHost } from '../../support/loopback-host.ts';
import type { Closure } from '../../support/private-store.ts';
import { createPushRig, failureOf, pushed, ways, type PushRig } from '../../support/push-rig.ts';

let rig: PushRig;
let closure: Closure;

const key = parseSigningKey(generateSigningKey('fleet.example.org-1'));
const sign = (info: PathInfo): readonly string[] => [signPath(key, info)];

beforeAll(async () => {
  rig = await createPushRig();
  await chmod(rig.workshop.folder, 0o755);
  closure = await closureOf(rig.workshop, { kind: 'odd' }, { seed: 'trust', round: '1' });
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

const nobody = 65_534;

/** Whoever logs in may root paths there, and is not trusted with what they are. */
async function distrustful(trustedKey: string): Promise<LoopbackHost> {
  const host = await rig.host({ untrusted: true, nixConfig: { 'trusted-public-keys': trustedKey } });
  await host.inside('mkdir', '-p', '/nix/var/nix/profiles', '/nix/var/nix/gcroots/varve');
  for (const name of ['profiles', 'gcroots/varve']) {
    await chown(join(host.nixFolder, 'var/nix', name), nobody, nobody);
  }
  return host;
}

describe.each(ways)('by a user whom the host does not trust, of archives that are sent %s', (_, nearMs) => {
  test('what is signed by a key that it trusts is accepted', async () => {
    const host = await distrustful(publicKeyOf(key));
    const push = rig.pusher(host, { settings: { nearMs }, sign });
    const { root, paths } = closure;
    expect(await pushed(push, host.connection, root)).toMatchObject({ paths });
    await expectWhole(host, rig.workshop, root);
    expect(await host.inside('readlink', '/nix/var/nix/gcroots/varve/d000001/toplevel')).toBe(root);
  });

  test('what is signed by another key is not, and how to change that is said', async () => {
    const other = parseSigningKey(generateSigningKey('other.example.org-1'));
    const host = await distrustful(publicKeyOf(other));
    const push = rig.pusher(host, { settings: { nearMs }, sign });
    const failure = await failureOf(pushed(push, host.connection, closure.root));
    expect(failure).toMatchObject({ code: 'PUSH_FAILED', disposition: 'stalled' });
    expect(failure.hint).toContain('trusted-public-keys');
    expect(await validPaths(host)).not.toContain(closure.root);
  });

  test('what was signed as something else is not', async () => {
    const host = await distrustful(publicKeyOf(key));
    const forged = (info: PathInfo): readonly string[] => sign({ ...info, narSize: info.narSize + 8 });
    const push = rig.pusher(host, { settings: { nearMs }, sign: forged });
    const failure = await failureOf(pushed(push, host.connection, closure.root));
    expect(failure).toMatchObject({ code: 'PUSH_FAILED', disposition: 'stalled' });
    expect(await validPaths(host)).not.toContain(closure.root);
  });

  test('a host whose sudo refuses says so, and has the paths for the next time', async () => {
    const nixConfig = { 'trusted-public-keys': publicKeyOf(key) };
    const host = await rig.host({ untrusted: true, nixConfig });
    const sudo = join(rig.workshop.folder, 'sudo');
    await writeFile(sudo, '#!/bin/sh\necho "sudo: a password is required" >&2\nexit 1\n', { mode: 0o755 });
    await host.inside('mkdir', '-p', '/run/wrappers/bin');
    await host.inside('cp', sudo, '/run/wrappers/bin/sudo');
    const push = rig.pusher(host, { settings: { nearMs }, sign });
    const failure = await failureOf(pushed(push, host.connection, closure.root));
    expect(failure).toMatchObject({ code: 'PUSH_FAILED' });
    expect(failure.message).toContain('sudo: a password is required');
    expect(await validPaths(host)).toContain(closure.root);
  });
});
