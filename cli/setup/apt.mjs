// Installs packages on Debian and Ubuntu, as root or with sudo.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { inTheForeground, quietly } from './processes.mjs';
import { say } from './say.mjs';

export const isRoot = process.getuid?.() === 0;
const sudo = ['/usr/bin/sudo', '/bin/sudo', '/run/wrappers/bin/sudo'].find((file) => existsSync(file));

/** What goes before a command that only root may run. */
export const asRoot = isRoot || sudo === undefined ? [] : [sudo];

export function mayInstall() {
  return existsSync('/usr/bin/apt-get') && (isRoot || sudo !== undefined);
}

// Packages of servers start them as system services, which nobody asked for. While this file is there, they do not.
const policy = '/usr/sbin/policy-rc.d';
const policyText = '#!/bin/sh\n# Made by the set-up of Varve for the time of one installation.\nexit 101\n';

/** Puts the file there, unless the machine has one of its own, and returns what takes it away again. */
async function withoutStartingServices() {
  if (existsSync(policy) && readFileSync(policy, 'utf8') !== policyText) return async () => {};
  const folder = mkdtempSync(join(tmpdir(), 'varve-setup-'));
  const draft = join(folder, 'policy-rc.d');
  writeFileSync(draft, policyText);
  await quietly([...asRoot, 'install', '-m', '755', draft, policy]);
  rmSync(folder, { recursive: true, force: true });
  return async () => {
    await quietly([...asRoot, 'rm', '-f', policy]);
  };
}

/** True when apt installed them. */
export async function aptInstall(packages) {
  // Asked for now, while nothing is drawn over the question for the password.
  if (asRoot.length > 0 && (await inTheForeground([...asRoot, '-v'])) !== 0) return false;
  // An interrupt ends apt, which is in our process group; ours waits, so that what was put there is taken away.
  const waits = () => {};
  process.on('SIGINT', waits);
  process.on('SIGTERM', waits);
  const done = await withoutStartingServices();
  try {
    return await install(packages);
  } finally {
    await done();
    process.off('SIGINT', waits);
    process.off('SIGTERM', waits);
  }
}

async function install(packages) {
  const apt = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '--quiet', '--yes'];
  // A failed update is no reason to stop: what apt knows already may be enough.
  await say.phase('apt-get update', async () => (await quietly([...apt, 'update'])).code === 0);
  let said = '';
  const installed = await say.phase(`apt-get install (${packages.length} packages)`, async () => {
    const options = ['--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold'];
    const result = await quietly([...apt, ...options, 'install', ...packages]);
    said = result.said;
    return result.code === 0;
  });
  if (!installed) process.stderr.write(`${said.split('\n').slice(-25).join('\n')}\n`);
  return installed;
}
