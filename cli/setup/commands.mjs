// What each npm script runs once everything is there.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { packageCommand, top } from './places.mjs';
import { inTheForeground } from './processes.mjs';
import { runTests } from './tests.mjs';

const varve = join(top, 'dist', 'cli', 'main.js');

/** Ends what earlier runs of the tests may have left: hosts, mounts, namespaces. */
async function sweep() {
  const sweeper = join(top, 'test', 'hosts', 'sweep.ts');
  if (existsSync(sweeper)) await inTheForeground([packageCommand('tsx'), sweeper], { onOutput: () => {} });
}

/** Runs, and leaves nothing behind, however it ends. */
async function betweenSweeps(run) {
  await sweep();
  try {
    return await run();
  } finally {
    await sweep();
  }
}

/** Runs a program that is not compiled. Asked for late: at the first start the packages are not there yet. */
const typescript = () => [process.execPath, '--import', import.meta.resolve('tsx')];

const quick = ['unit', 'contract', 'simulation'];
const onHosts = ['integration', 'e2e'];

/** Each takes the arguments of the command, and resolves with its exit code. */
export const commands = {
  start: (args) => inTheForeground([process.execPath, varve, 'up', ...args]),
  test: (args) => betweenSweeps(() => runTests([quick, onHosts], args)),
  matrix: (args) => betweenSweeps(() => runTests([['matrix']], args)),
  bench: (args) => inTheForeground([packageCommand('tsx'), join(top, 'test', 'bench', 'main.ts'), ...args]),
  demo: (args) =>
    betweenSweeps(() => inTheForeground([...typescript(), join(top, 'test', 'demo', 'main.ts'), ...args])),
};
