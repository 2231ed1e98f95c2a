import type { TestHost } from '../hosts/test-host.ts';

/** What an activation, whoever began it, cannot leave as it was. */
export interface Traces {
  readonly bootId: string;
  /** The systems that run, that the profile names and that boot next; all profile generations. */
  readonly systems: string;
  /** When process 1 started what the system runs: a switch that touches it starts it anew. */
  readonly services: string;
  /** The guard's records and its roots of a switch; roots of what was only delivered are not meant. */
  readonly guard: string;
}

/** Asks the host itself, not Varve. */
export async function tracesOn(host: TestHost): Promise<Traces> {
  const say = async (script: string): Promise<string> =>
    (await host.exec(['sh', '-c', script])).stdout.trim();
  return {
    bootId: await host.bootId(),
    systems: await say(
      'readlink -f /run/current-system /nix/var/nix/profiles/system; cat /boot/default; ls -l --time-style=full-iso /nix/var/nix/profiles',
    ),
    services: await say('systemctl show --property=ActiveEnterTimestampMonotonic web.service sshd.service'),
    guard: await say('ls -A /nix/var/varve/records'),
  };
}

/** The pages that a host's web service has for the one who asks. */
export async function pageOn(host: TestHost, path: string): Promise<string> {
  const response = await fetch(`http://${host.address}:8080${path}`, { signal: AbortSignal.timeout(5_000) });
  return `${response.status} ${(await response.text()).trim()}`;
}
