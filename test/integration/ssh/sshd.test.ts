import { expect, it } from 'vitest';

import { createSsh } from '../../../worker/ssh/ssh.ts';
import { eventually } from '../../support/eventually.ts';
import { startSshd } from './sshd.ts';

it.each([false, true])(
  'leaves no connection that it stopped, also when its daemon ended before: %s',
  async (before) => {
    const sshd = await startSshd();
    const ssh = createSsh({ keyFiles: [sshd.keyFile], keepaliveMs: 60_000 });
    const connection = { address: '127.0.0.1', port: sshd.port, user: 'root', hostKeys: [sshd.hostKey] };
    const session = await ssh.pooled(connection);
    const { stdout } = await session.exec('echo $PPID', { deadlineMs: 5_000 });
    await sshd.signalConnections('SIGSTOP');
    if (before) await sshd.stop();
    expect(isThere(Number(stdout))).toBe(true);
    await sshd.close();
    ssh.close();
    await eventually(() => !isThere(Number(stdout)), { what: 'its end', deadlineMs: 5_000 });
  },
);

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
