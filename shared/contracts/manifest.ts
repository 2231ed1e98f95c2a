import type { Failure } from '../domain/errors.ts';
import { plainFleet, plainHost } from '../domain/fleet.ts';
import type { Fleet } from '../domain/fleet.ts';
import { membersOf } from './manifest-members.ts';
import { resolveFreeze, resolveGroup, resolveRollout } from './manifest-resolve-policy.ts';
import { defaultTimeouts, hostResolver } from './manifest-resolve-host.ts';
import type { WrittenManifest } from './manifest-schema.ts';
import { readManifestText } from './manifest-text.ts';

/** The file's name, at the top of the repository. */
export const manifestFile = 'varve.yaml';

export type ManifestResult =
  | { readonly kind: 'fleet'; readonly fleet: Fleet }
  | { readonly kind: 'invalid'; readonly failure: Failure };

/**
 * Reads the text of a `varve.yaml`. Failures: MANIFEST_INVALID with every error as `varve.yaml:line:column: …`, and
 * NO_HOSTS for one that names no host at all.
 */
export function parseManifest(text: string): ManifestResult {
  const read = readManifestText(text, manifestFile);
  if (read.kind === 'invalid') return read;
  const { manifest } = read;
  if (Object.keys(manifest.hosts ?? {}).length === 0) return { kind: 'invalid', failure: noHosts() };
  return { kind: 'fleet', fleet: resolve(manifest) };
}

/** The fleet of a repository without `varve.yaml`: every configuration is a host at its own name. */
export function discoveredFleet(): Fleet {
  return {
    flake: { folder: '.', attribute: 'nixosConfigurations' },
    adopt: 'manual',
    ...plainFleet,
    hosts: {
      kind: 'discovered',
      defaults: { ...plainHost, timeouts: defaultTimeouts },
    },
  };
}

function noHosts(): Failure {
  return {
    code: 'NO_HOSTS',
    disposition: 'stalled',
    message: `${manifestFile} names no host, so nothing is done: every host keeps what it runs`,
    hint:
      'if the hosts were removed by mistake, revert the commit; to stop managing the last hosts, stop Varve (a host that ' +
      `it no longer manages keeps running); to have every configuration be a host at its own name, delete ${manifestFile}`,
  };
}

function resolve(manifest: WrittenManifest): Fleet {
  const members = membersOf(manifest);
  const list = Object.keys(manifest.hosts ?? {}).map(hostResolver(manifest, members));
  return {
    flake: {
      folder: plainFolder(manifest.flake?.folder ?? '.'),
      attribute: manifest.flake?.attribute ?? 'nixosConfigurations',
    },
    adopt: manifest.adopt ?? 'manual',
    rollout: resolveRollout(manifest.rollout, members),
    groups: Object.entries(manifest.groups ?? {}).map(resolveGroup),
    freezes: (manifest.freezes ?? []).map(resolveFreeze),
    // One order whatever the file's: equal fleets compare equal.
    hosts: { kind: 'listed', list: list.sort((a, b) => (a.name < b.name ? -1 : 1)) },
  };
}

function plainFolder(folder: string): string {
  const parts = folder.split('/').filter((part) => part !== '' && part !== '.');
  return parts.length === 0 ? '.' : parts.join('/');
}
