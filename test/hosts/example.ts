// The hosts and the config repository of the example fleet, for `varve up`: node example.js FOLDER URL
//
// Says what it does on standard output (cli/up/example-protocol.ts), and ends, with all that it made but the folder,
// when its standard input ends: whoever started it is gone then, however that happened.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { ExampleMessage } from '../../cli/up/example-protocol.ts';
import { failureOf, FleetError, type Failure } from '../../shared/domain/errors.ts';
import { imageUnlessStopped } from './early-stop.ts';
import { takeExampleFolder } from './example-folder.ts';
import { makeExampleRepo } from './example-repo.ts';
import { nixSettings } from './fleet-files.ts';
import { createLab, type Lab } from './lab.ts';
import { workerRoots } from './worker-roots.ts';

const names = ['web1', 'web2', 'batch1'] as const;

const say = (message: ExampleMessage): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
const progress = (text: string): void => say({ kind: 'progress', text });

/** Settles when the example is not wanted any more. */
const stopped = new Promise<void>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
  for (const event of ['end', 'close', 'error'] as const) process.stdin.on(event, () => resolve());
  process.stdin.resume();
});
// Nobody reads any more: the end of the input says so as well.
process.stdout.on('error', () => {});

async function main(folder: string, url: string): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new FleetError({
      code: 'UNAUTHORIZED',
      disposition: 'stalled',
      message: 'the hosts of the example fleet are containers, which only root can boot',
      hint: 'run it with sudo, or on a repository and hosts of your own: varve up --repo URL',
    });
  }
  const letGo = await takeExampleFolder(folder);
  let lab: Lab | undefined;
  let wanted = true;
  void stopped.then(() => {
    wanted = false;
  });
  try {
    if (!(await imageUnlessStopped(stopped, progress))) return;
    progress(`starting three hosts: ${names.join(', ')}`);
    const startedAt = performance.now();
    const hosts = await createLab({ hosts: names, log: progress });
    lab = hosts;
    progress(`they run after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
    if (!wanted) return;
    const { repo, sshConfig } = await makeExampleRepo({ folder, lab: hosts, url, env: process.env });
    const config = join(folder, 'service.yaml');
    const worker = { identities: [hosts.privateKeyPath], nix: { settings: nixSettings } };
    await writeFile(config, `# What the example's programs are told.\n${JSON.stringify({ worker })}\n`);
    say({
      kind: 'ready',
      repository: repo.remote,
      ref: repo.branch,
      env: { VARVE_CONFIG: config },
      workingCopy: repo.workDir,
      sshConfig,
      hosts: names.map((name) => ({ name, address: hosts.host(name).address })),
    });
    await stopped;
  } finally {
    await lab?.close();
    await rm(workerRoots(folder), { recursive: true, force: true });
    await letGo();
  }
}

function failure(thrown: unknown): Failure {
  if (thrown instanceof FleetError) return failureOf(thrown);
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: 'INTERNAL', disposition: 'stalled', message: `the example cannot be started: ${text}` };
}

const [folder, url] = process.argv.slice(2);
if (folder === undefined || url === undefined) throw new RangeError('usage: example FOLDER URL');
try {
  await main(folder, url);
} catch (thrown) {
  say({ kind: 'failed', failure: failure(thrown) });
  process.exitCode = 1;
}
// Input that is still open would keep us.
process.stdin.destroy();
