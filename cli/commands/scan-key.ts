import { createHash } from 'node:crypto';
import { FleetError } from '../../shared/domain/errors.ts';
import type { RunLocal } from '../local-program.ts';
import type { Terminal } from '../terminal.ts';
import type { HostPlace } from './host-place.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';

export interface ScannedKey {
  /** `type base64`, as varve.yaml takes it. */
  readonly key: string;
  /** As `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
}

/**
 * `varve host scan-key <host|address>`: asks a host, from here, for its keys, and prints the lines for varve.yaml. Whoever
 * answers at that address could be somebody else: the fingerprint is to be compared on the host.
 */
export async function runScanKey(
  deps: { readonly run: RunLocal; readonly terminal: Terminal; readonly output: 'text' | 'json' },
  place: HostPlace,
  options: { readonly port: number | undefined; readonly timeoutMs: number },
): Promise<ExitCode> {
  const address = parseAddress(place.address);
  const port = options.port ?? place.port;
  if (place.behind !== undefined) throw isBehind(place.behind, address);
  const seconds = Math.max(1, Math.round(options.timeoutMs / 1_000));
  const result = await deps.run(
    ['ssh-keyscan', '-T', String(seconds), '-p', String(port), '-t', 'ed25519,ecdsa,rsa', address],
    options.timeoutMs * 3 + 5_000,
  );
  const keys = parseScan(result.stdout);
  if (keys.length === 0) {
    throw new FleetError({
      code: 'HOST_UNREACHABLE',
      disposition: 'transient',
      message: `no SSH server answers at ${address} port ${port}${place.knownFrom === undefined ? '' : ` (as ${place.knownFrom} says)`}`,
      hint: 'is the host up, is the port right (--port), is there a firewall in between?',
    });
  }
  const { terminal } = deps;
  if (deps.output === 'json') {
    terminal.line(JSON.stringify({ address, port, keys }, undefined, 2));
    return exitCodes.ok;
  }
  terminal.line('hostKeys:');
  for (const { key } of keys) terminal.line(`  - ${key}`);
  terminal.aside('');
  if (place.knownFrom !== undefined)
    terminal.aside(terminal.paint('dim', `of ${address} port ${port}, as ${place.knownFrom} says`));
  for (const { key, fingerprint } of keys) {
    terminal.aside(terminal.paint('dim', `${key.split(' ')[0]} ${fingerprint}`));
  }
  terminal.aside(
    `${terminal.paint('cyan', terminal.signs.arrow)} compare before you commit it; on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`,
  );
  return exitCodes.ok;
}

/** Whoever answers at that address from here is not the host that the worker reaches through its jump host. */
function isBehind(jump: string, address: string): FleetError {
  return new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: `${address} is reached through ${jump}, so it is not asked from here`,
    hint: 'without its hostKeys in varve.yaml, `varve doctor` says which key it showed to the worker; compare it on the host',
  });
}

/** Lines of ssh-keyscan: `address type base64`; comments begin with `#`. */
export function parseScan(text: string): readonly ScannedKey[] {
  const keys = new Map<string, ScannedKey>();
  for (const line of text.split('\n')) {
    const match = /^[^#\s]\S* (ssh-ed25519|ecdsa-sha2-nistp\d{3}|ssh-rsa|sk-\S+) ([A-Za-z0-9+/]+=*)$/.exec(
      line.trim(),
    );
    if (match?.[1] === undefined || match[2] === undefined) continue;
    const key = `${match[1]} ${match[2]}`;
    const digest = createHash('sha256')
      .update(Buffer.from(match[2], 'base64'))
      .digest('base64')
      .replace(/=+$/, '');
    keys.set(key, { key, fingerprint: `SHA256:${digest}` });
  }
  const rank = (key: string): number => (key.startsWith('ssh-ed25519') ? 0 : key.startsWith('ecdsa') ? 1 : 2);
  return [...keys.values()].sort((a, b) => rank(a.key) - rank(b.key));
}

/** A name or an IP address that no program takes for an option. */
export function parseAddress(text: string): string {
  if (/^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(text) || /^[0-9A-Fa-f:.]{2,45}$/.test(text))
    return text;
  throw new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: `${JSON.stringify(text.slice(0, 80))} is not an address`,
    hint: 'give a name or an IP address, without user and port',
  });
}
