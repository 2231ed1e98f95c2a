import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { varve } from '../../support/cli-process.ts';
import { type FakeController, startFakeController } from '../../support/fake-controller.ts';
import { aHost, aStatus } from '../../support/fake-fleet.ts';
import { freePort } from '../../support/ports.ts';
import { type Sshd, startSshd } from '../ssh/sshd.ts';

let controller: FakeController;
let url: string;
beforeEach(async () => {
  ({ controller, url } = await startFakeController());
});
afterEach(() => controller.server.close());

describe('host scan-key, of a real sshd', () => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(() => sshd.close());

  test('prints the lines to pin, of an address', async () => {
    const { code, stdout, stderr } = await varve([
      'host',
      'scan-key',
      '127.0.0.1',
      '--port',
      String(sshd.port),
    ]);
    expect(stdout).toBe(`hostKeys:\n  - ${sshd.hostKey}\n  - ${sshd.rsaHostKey}\n`);
    expect(stderr).toMatch(/ssh-ed25519 SHA256:[\w+/]{43}\n[\s\S]+compare before you commit it/);
    expect(code).toBe(0);
  });

  test('finds a host of the fleet where the controller says it is', async () => {
    controller.backend.state = aStatus({
      hosts: [aHost('web1', { address: `deploy@127.0.0.1:${sshd.port}` })],
    });
    const { stdout } = await varve(['host', 'scan-key', 'web1', '-o', 'json'], { url });
    expect(JSON.parse(stdout)).toMatchObject({
      address: '127.0.0.1',
      port: sshd.port,
      keys: [{ key: sshd.hostKey }, { key: sshd.rsaHostKey }],
    });
  });

  test('finds it in the varve.yaml of the folder where no controller answers', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'varve-scan-'));
    const yaml = `hosts:\n  web1:\n    address: 127.0.0.1\n    port: ${sshd.port}\n`;
    await writeFile(join(folder, 'varve.yaml'), yaml);
    const { stdout, stderr } = await varve(['host', 'scan-key', 'web1'], {
      url: 'http://127.0.0.1:9',
      cwd: folder,
    });
    await rm(folder, { recursive: true });
    expect(stdout).toContain(`  - ${sshd.hostKey}\n`);
    expect(stderr).toContain(`of 127.0.0.1 port ${sshd.port}, as ./varve.yaml says`);
  });

  test('does not ask who answers here when the host is behind a jump host, as either knows', async () => {
    controller.backend.state = aStatus({
      hosts: [aHost('web1', { address: `root@127.0.0.1:${sshd.port} through root@gate:22` })],
    });
    const folder = await mkdtemp(join(tmpdir(), 'varve-scan-'));
    const yaml = `hosts: { web1: { address: 127.0.0.1, port: ${sshd.port}, jump: gate }, gate: }\n`;
    await writeFile(join(folder, 'varve.yaml'), yaml);
    const answers = await Promise.all([
      varve(['host', 'scan-key', 'web1'], { url }),
      varve(['host', 'scan-key', 'web1'], { url: 'http://127.0.0.1:9', cwd: folder }),
    ]);
    await rm(folder, { recursive: true });
    for (const { code, stdout, stderr } of answers) {
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain('127.0.0.1 is reached through root@gate:22, so it is not asked from here');
    }
  });

  test('says where it has asked when nobody answers there', async () => {
    const port = String(await freePort());
    const { code, stderr } = await varve(['host', 'scan-key', '127.0.0.1', '-p', port, '--timeout', '1s']);
    expect(code).toBe(1);
    expect(stderr).toContain(`HOST_UNREACHABLE no SSH server answers at 127.0.0.1 port ${port}`);
  });
});
