import type { Nix } from './nix.ts';

/** Whether `nix copy` gets along with a connection that OpenSSH shares between clients. */
export async function sharesConnections(nix: Nix): Promise<boolean> {
  const { stdout } = await nix.run(['nix', '--version'], { signal: undefined, deadlineMs: 30_000 });
  return isBeforeStarted(stdout.toString('utf8'));
}

/**
 * From 2.16 on, Nix waits for a line that only the first client of a shared connection prints, and hangs without it
 * (nix#8329). A version that is not understood is taken for a new one.
 */
export function isBeforeStarted(said: string): boolean {
  const [, major, minor] = /\(Nix\) (\d+)\.(\d+)/.exec(said) ?? [];
  return Number(major) === 2 && Number(minor) < 16;
}
