// Plain JavaScript on purpose: this runs before the packages are installed and before anything is compiled.
//
//   node cli/setup/setup.mjs <start|test|matrix|bench|demo> -- ARGS…
//
// Brings the machine and the checkout to where the command can run, and runs it. Whatever set-up has to say goes to
// standard error; standard output belongs to the command.

import { existsSync, readFileSync } from 'node:fs';

import { asRoot, isRoot } from './apt.mjs';
import { buildPrograms } from './build.mjs';
import { commands } from './commands.mjs';
import { installNodePackages } from './node-packages.mjs';
import { inTheForeground } from './processes.mjs';
import { bootsHosts, configFile, neededFor } from './programs.mjs';
import { say } from './say.mjs';
import { ensurePrograms } from './system-programs.mjs';

const oldestNode = [20, 19];

function nodeIsTooOld() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
}

async function main() {
  const [name = '', ...rest] = process.argv.slice(2);
  const args = rest[0] === '--' ? rest.slice(1) : rest;
  const command = commands[name];
  if (command === undefined) {
    say.problem(`no command ${JSON.stringify(name)}; there are ${Object.keys(commands).join(', ')}`);
    return 64;
  }
  if (nodeIsTooOld()) {
    say.problem(`Node ${process.versions.node} is too old: Varve needs ${oldestNode.join('.')} or newer`);
    return 78;
  }
  if (!(await ensurePrograms(neededFor(name, args, machine(args))))) return 78;
  if (!(await installNodePackages())) return 1;
  if (!(await buildPrograms())) return 1;
  if (bootsHosts(name, args, process.env) && !isRoot) return again(name, args);
  return command(args);
}

function machine(args) {
  const file = configFile(args, process.env);
  // One that cannot be read is complained about by who needs it.
  const config = file !== undefined && existsSync(file) ? readFileSync(file, 'utf8') : '';
  return { platform: process.platform, said: process.env, config };
}

/** Test hosts are containers, which only root can boot. Everything is there by now, so that root changes no file. */
async function again(name, args) {
  if (asRoot.length === 0) {
    say.problem('test hosts can only be booted by root, and there is no sudo');
    return 78;
  }
  say.note('test hosts are containers: going on as root, with sudo');
  const self = [process.execPath, process.argv[1], name, '--', ...args];
  return inTheForeground([...asRoot, 'env', `PATH=${process.env.PATH}`, ...self]);
}

process.exitCode = await main();
