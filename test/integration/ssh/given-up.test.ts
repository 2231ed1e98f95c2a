import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import ssh2 from 'ssh2';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createSsh } from '../../../worker/ssh/ssh.ts';
import { hostKeyText } from '../../../worker/ssh/host-key.ts';
import { eventually } from '../../support/eventually.ts';

let folder: string;
let keyFile: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-ssh-'));
  keyFile = join(folder, 'key');
  await writeFile(keyFile, ssh2.utils.generateKeyPairSync('ed25519').private, { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true }));

it('a command that was given up before its channel was open gets nothing to do', async () => {
  const hostKey = ssh2.utils.generateKeyPairSync('ed25519');
  const received: string[] = [];
  let open = (): void => {};
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (client) => {
    client.on('error', () => {});
    client.on('authentication', (attempt) => attempt.accept());
    client.on('session', (accept) => {
      open = () => {
        accept().on('exec', (acceptExec) => {
          const channel = acceptExec();
          channel.on('data', (chunk: Buffer) => received.push(chunk.toString()));
          channel.on('close', () => received.push('closed'));
        });
      };
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const ssh = createSsh({ keyFiles: [keyFile] });
  try {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    const { port } = address;
    const parsed = ssh2.utils.parseKey(hostKey.public);
    if (parsed instanceof Error) throw parsed;
    const hostKeys = [hostKeyText(parsed.getPublicSSH())];
    const session = await ssh.fresh({ address: '127.0.0.1', port, user: 'root', hostKeys });
    const exec = session.exec('read what && eval "$what"', { stdin: 'reboot\n', deadlineMs: 50 });
    await expect(exec).rejects.toMatchObject({ code: 'TIMED_OUT' });
    open();
    await eventually(() => received.includes('closed'), {
      what: 'the channel to be closed',
      deadlineMs: 5_000,
    });
    expect(received).toEqual(['closed']);
  } finally {
    ssh.close();
    server.close();
  }
});
