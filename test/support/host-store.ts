import { expect } from 'vitest';
import { z } from 'zod';

import type { StorePath } from '../../shared/domain/names.ts';
import { eventually } from './eventually.ts';
import type { LoopbackHost } from './loopback-host.ts';
import type { Workshop } from './nix-workshop.ts';

const Infos = z.array(
  z.object({
    path: z.string(),
    narHash: z.string(),
    narSize: z.number(),
    references: z.array(z.string()).transform((paths) => paths.toSorted()),
    ca: z.string().optional(),
    deriver: z.string().optional(),
  }),
);
type Infos = z.infer<typeof Infos>;

const question = [
  'nix',
  '--extra-experimental-features',
  'nix-command',
  'path-info',
  '--json',
  '--recursive',
] as const;

/** Nix itself finds all of the host's store whole, and knows of the path's closure there all that it knows here. */
export async function expectWhole(host: LoopbackHost, { nix }: Workshop, root: StorePath): Promise<void> {
  const said = await host.inside('sh', '-c', 'nix-store --verify --check-contents 2>&1');
  expect(said.split('\n').filter((line) => !/^(?:reading|checking) /.test(line))).toEqual([]);
  const here = await nix.run(['nix', 'path-info', '--json', '--recursive', root], {
    signal: undefined,
    deadlineMs: 60_000,
  });
  expect(sorted(await host.inside(...question, root))).toEqual(sorted(here.stdout.toString('utf8')));
}

function sorted(text: string): Infos {
  return Infos.parse(JSON.parse(text)).toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** What a garbage collection leaves there. */
export async function collected(host: LoopbackHost): Promise<readonly string[]> {
  await host.inside('nix-store', '--gc');
  return validPaths(host);
}

export async function validPaths(host: LoopbackHost): Promise<readonly string[]> {
  const all = await host.inside(
    ...(['nix', '--extra-experimental-features', 'nix-command', 'path-info', '--all'] as const),
  );
  return all
    .split('\n')
    .filter((line) => line !== '')
    .toSorted();
}

/** What runs on the host for a push: all but its SSH server and a Nix daemon of its own. */
export async function pushProcesses(host: LoopbackHost): Promise<readonly string[]> {
  const all = await host.inside('ps', '-eo', 'pid=,stat=,args=');
  return all
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !/^\d+ +\S+ +(?:sshd|\/usr\/sbin\/sshd|ps -eo|nix-daemon$)/.test(line));
}

/** Once all connections have ended, nothing of any push is left on the host but the paths. */
export async function expectNothingLeft(host: LoopbackHost, deadlineMs = 8_000): Promise<void> {
  let left: readonly string[] = [];
  await eventually(
    async () => {
      left = [...(await pushProcesses(host)), ...(await folders(host))];
      return left.length === 0;
    },
    { what: 'nothing of a push to be left on the host', deadlineMs, everyMs: 100 },
  ).catch((thrown: unknown) => {
    throw new Error(`left on the host:\n${left.join('\n')}`, { cause: thrown });
  });
}

async function folders(host: LoopbackHost): Promise<readonly string[]> {
  const all = await host.inside('ls', '/run');
  return all.split('\n').filter((name) => name.startsWith('tmp.'));
}
