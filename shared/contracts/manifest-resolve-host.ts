import { plainHost } from '../domain/fleet.ts';
import type { HostSpec, Timeouts, Transport } from '../domain/fleet.ts';
import { parseHostName } from '../domain/names.ts';
import type { Window } from '../domain/policy.ts';
import { dependenciesIn } from './manifest-after.ts';
import { connectionsIn } from './manifest-connections.ts';
import { layersIn, type Treatment } from './manifest-layers.ts';
import type { Members } from './manifest-members.ts';
import { resolveReboot, resolveRetention, resolveWindow } from './manifest-resolve-policy.ts';
import { resolveCheck } from './manifest-check.ts';
import type { WrittenManifest, WrittenTimeouts } from './manifest-schema.ts';
import type { WrittenWindow } from './manifest-schema-time.ts';
import { msOf } from './manifest-words.ts';

export const defaultTimeouts: Timeouts = {
  buildMs: 3_600_000,
  pushMs: 1_800_000,
  activationMs: 600_000,
  confirmMs: 60_000,
  settleMs: 10_000,
};

/** Makes hosts of their names: each is what the file says of it, of its groups and of all. */
export function hostResolver(manifest: WrittenManifest, members: Members): (key: string) => HostSpec {
  const dependenciesOf = dependenciesIn(manifest, members);
  const windowsOf = sharedWindows();
  const connectionOf = connectionsIn(manifest);
  const layersOf = layersIn(manifest, members);
  return (key) => {
    const name = parseHostName(key);
    const host = manifest.hosts?.[key] ?? {};
    const groups = members.groupsOf.get(key) ?? [];
    const layers = layersOf(key).map(({ says }) => says);
    const connection = connectionOf(key);
    return {
      name,
      attribute: host.attribute ?? name,
      connection,
      labels: host.labels ?? {},
      mode: last(layers, 'mode') ?? plainHost.mode,
      checks: (last(layers, 'checks') ?? []).flatMap((check) => resolveCheck(check, connection.address)),
      timeouts: layers.reduce((base, layer) => resolveTimeouts(base, layer.timeouts), defaultTimeouts),
      unitFailures: last(layers, 'unitFailures') ?? plainHost.unitFailures,
      transport: transportOf(last(layers, 'transport'), last(layers, 'substituteOnHost')),
      wave: members.waves[members.waveOf.get(key) ?? 0]?.name ?? plainHost.wave,
      groups,
      after: dependenciesOf(key),
      windows: windowsOf(last(layers, 'windows')),
      reboot: layers.reduce((base, layer) => resolveReboot(base, layer.reboot), plainReboot),
      drift: last(layers, 'drift') ?? plainHost.drift,
      retention: layers.reduce((base, layer) => resolveRetention(base, layer.retention), plainRetention),
      runsVarve: host.runsVarve ?? plainHost.runsVarve,
    };
  };
}

const plainReboot: HostSpec['reboot'] = plainHost.reboot;
const plainRetention: HostSpec['retention'] = plainHost.retention;

/** What is published for a host it is to fetch, whatever else is said. */
function transportOf(by: Transport['by'] | undefined, substitute: boolean | undefined): Transport {
  if (by === 'cache') return viaCache;
  return substitute === true ? withSubstitutes : plainHost.transport;
}

// Shared by all hosts that have them.
const viaCache: Transport = { by: 'cache', substitute: true };
const withSubstitutes: Transport = { by: 'push', substitute: true };

/** What the innermost layer says that says anything. */
function last<Key extends keyof Treatment>(layers: readonly Treatment[], key: Key): Treatment[Key] {
  return layers.findLast((layer) => layer[key] !== undefined)?.[key];
}

/** Resolves a list of windows once, however many hosts have it. */
function sharedWindows(): (written: readonly WrittenWindow[] | undefined) => readonly Window[] {
  const none: readonly Window[] = [];
  const known = new Map<readonly WrittenWindow[], readonly Window[]>();
  return (written) => {
    if (written === undefined) return none;
    const windows = known.get(written) ?? written.map(resolveWindow);
    known.set(written, windows);
    return windows;
  };
}

function resolveTimeouts(base: Timeouts, written: WrittenTimeouts | undefined): Timeouts {
  return {
    buildMs: msOf(written?.build, base.buildMs),
    pushMs: msOf(written?.push, base.pushMs),
    activationMs: msOf(written?.activation, base.activationMs),
    confirmMs: msOf(written?.confirm, base.confirmMs),
    settleMs: msOf(written?.settle, base.settleMs),
  };
}
