import { parseManifest } from '../../shared/contracts/manifest.ts';
import type { Fleet, HostSpec } from '../../shared/domain/fleet.ts';

/** The fleet of a `varve.yaml` that must be right. */
export function fleetOf(text: string): Fleet {
  const read = parseManifest(text);
  if (read.kind === 'invalid') throw new Error(read.failure.message);
  return read.fleet;
}

export function hostsOf(text: string): readonly HostSpec[] {
  const { hosts } = fleetOf(text);
  return hosts.kind === 'listed' ? hosts.list : [];
}

/** The error of a `varve.yaml`, code first; `valid` when it has none. */
export function messageOf(text: string): string {
  const read = parseManifest(text);
  return read.kind === 'invalid' ? `${read.failure.code} ${read.failure.message}` : 'valid';
}
