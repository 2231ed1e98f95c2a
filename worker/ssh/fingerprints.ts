import { createHash } from 'node:crypto';

import ssh2 from 'ssh2';

import type { Credential } from './connect.ts';

const agentDeadlineMs = 2_000;

/** `SHA256:…` of the public half of each, as sshd writes it down; of those in an agent too, if it answers. */
export async function fingerprintsOf(credentials: readonly Credential[]): Promise<ReadonlySet<string>> {
  const keys = await Promise.all(credentials.map(publicHalves));
  return new Set(
    keys.flat().map((key) => {
      const hash = createHash('sha256').update(key).digest('base64');
      return `SHA256:${hash.replace(/=+$/, '')}`;
    }),
  );
}

async function publicHalves(credential: Credential): Promise<readonly Buffer[]> {
  if (credential.kind === 'agent') return keysOfAgent(credential.socket);
  const parsed = ssh2.utils.parseKey(credential.privateKey);
  return parsed instanceof Error ? [] : [parsed.getPublicSSH()];
}

function keysOfAgent(socket: string): Promise<readonly Buffer[]> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve([]), agentDeadlineMs);
    ssh2.createAgent(socket).getIdentities((_error, keys = []) => {
      clearTimeout(timer);
      resolve(
        keys.flatMap((key) => (typeof key === 'object' && 'getPublicSSH' in key ? [key.getPublicSSH()] : [])),
      );
    });
  });
}
