import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { TestHost } from '../hosts/test-host.ts';
import { eventually } from './eventually.ts';
import type { Fleet } from './fleet.ts';

const root = new URL('../..', import.meta.url).pathname;
const folder = '/opt/varve';

/** A worker as a unit of a system of the example fleet. Another text is another unit, which a switch restarts. */
export function workerUnit(fleet: Fleet, text: string): string {
  return `units."varve-worker.service" = { wantedBy = [ "multi-user.target" ]; text = ''
    [Unit]
    Description=Varve's worker, ${text}

    [Service]
    Environment=PATH=/run/current-system/sw/bin:/usr/bin:/bin
    ExecStart=${folder}/node --enable-source-maps ${folder}/dist/worker/main.js ${configOf(fleet)}
    Restart=always
    RestartSec=100ms
  ''; };`;
}

function configOf({ varve }: Fleet): string {
  return join(varve.dataDir, 'varve-service.yaml');
}

/**
 * Puts all that a worker needs on a host: Node, the built program, its configuration and its key, and, by way of a
 * connection that somebody holds open, the controller and Redis at the addresses that they have here. Gives what ends that.
 */
export async function bringWorker(fleet: Fleet, host: TestHost, redis: string): Promise<() => Promise<void>> {
  const place = join(host.rootDir, folder);
  await mkdir(place, { recursive: true });
  await cp(process.execPath, join(place, 'node'));
  await cp(join(root, 'dist'), join(place, 'dist'), { recursive: true });
  await cp(join(root, 'package.json'), join(place, 'package.json'));
  await cp(await realpath(join(root, 'node_modules')), join(place, 'node_modules'), { recursive: true });
  // Beyond the disk: /tmp is the host's own.
  const files = [configOf(fleet), join(fleet.varve.dataDir, 'internal-token'), host.privateKeyPath];
  for (const file of files) {
    const script = 'mkdir -p "$(dirname "$1")" && umask 077 && cat > "$1"';
    const { code, stderr } = await host.exec(['sh', '-c', script, 'sh', file], {
      input: await readFile(file),
    });
    if (code !== 0) throw new Error(stderr);
  }
  const socket = redis.replace(/^unix:/, '');
  const { port } = new URL(fleet.varve.url);
  await host.exec(['mkdir', '-p', dirname(socket)]);
  const tunnel = spawn(
    'ssh',
    [
      ...['-N', '-i', host.privateKeyPath, '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no'],
      ...['-o', 'UserKnownHostsFile=/dev/null', '-o', 'ExitOnForwardFailure=yes', '-o', 'LogLevel=ERROR'],
      ...['-R', `127.0.0.1:${port}:127.0.0.1:${port}`, '-R', `${socket}:${socket}`],
      `root@${host.address}`,
    ],
    { stdio: 'ignore' },
  );
  await eventually(async () => (await host.exec(['test', '-S', socket])).code === 0, {
    what: 'the way from the host to Redis',
    deadlineMs: 20_000,
  });
  return () => end(tunnel);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill();
  await ended;
}
