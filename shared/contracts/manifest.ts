import type { Failure } from '../domain/errors.ts';
import { plainFleet, plainHost } from '../domain/fleet.ts';
import type { Fleet, HostSpec, Timeouts } from '../domain/fleet.ts';
import { parseHostName } from '../domain/names.ts';
import { resolveCheck } from './manifest-check.ts';
import type { WrittenManifest, WrittenTimeouts } from './manifest-schema.ts';
import { readManifestText } from './manifest-text.ts';
import { durationMs, normalHostKey } from './manifest-words.ts';

/** The file's name, at the top of the repository. */
export const manifestFile = 'varve.yaml';

export type ManifestResult =
  | { readonly kind: 'fleet'; readonly fleet: Fleet }
  | { readonly kind: 'invalid'; readonly failure: Failure };

export const defaultTimeouts: Timeouts = {
  buildMs: 3_600_000,
  pushMs: 1_800_000,
  activationMs: 600_000,
  confirmMs: 60_000,
  settleMs: 10_000,
};

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
  const defaults = manifest.defaults ?? {};
  const list = Object.entries(manifest.hosts ?? {}).map(([key, written]): HostSpec => {
    const name = parseHostName(key);
    const host = written ?? {};
    const address = host.address ?? name;
    return {
      ...plainHost,
      name,
      attribute: host.attribute ?? name,
      connection: {
        address,
        port: host.port ?? defaults.port ?? 22,
        user: host.user ?? defaults.user ?? 'root',
        hostKeys: (host.hostKeys ?? []).flatMap((hostKey) => normalHostKey(hostKey) ?? []),
      },
      labels: host.labels ?? {},
      mode: host.mode ?? defaults.mode ?? 'switch',
      checks: (host.checks ?? defaults.checks ?? []).flatMap((check) => resolveCheck(check, address)),
      timeouts: resolveTimeouts(resolveTimeouts(defaultTimeouts, defaults.timeouts), host.timeouts),
    };
  });
  return {
    flake: {
      folder: plainFolder(manifest.flake?.folder ?? '.'),
      attribute: manifest.flake?.attribute ?? 'nixosConfigurations',
    },
    ...plainFleet,
    adopt: manifest.adopt ?? 'manual',
    // One order whatever the file's: equal fleets compare equal.
    hosts: { kind: 'listed', list: list.sort((a, b) => (a.name < b.name ? -1 : 1)) },
  };
}

function plainFolder(folder: string): string {
  const parts = folder.split('/').filter((part) => part !== '' && part !== '.');
  return parts.length === 0 ? '.' : parts.join('/');
}

function ms(text: string | undefined, otherwise: number): number {
  return (text === undefined ? undefined : durationMs(text)) ?? otherwise;
}

function resolveTimeouts(base: Timeouts, written: WrittenTimeouts | undefined): Timeouts {
  return {
    buildMs: ms(written?.build, base.buildMs),
    pushMs: ms(written?.push, base.pushMs),
    activationMs: ms(written?.activation, base.activationMs),
    confirmMs: ms(written?.confirm, base.confirmMs),
    settleMs: ms(written?.settle, base.settleMs),
  };
}
