import type { Members } from './manifest-members.ts';
import type { WrittenGroup, WrittenManifest } from './manifest-schema.ts';

/** What `defaults`, groups and hosts may all say of a host, with the windows. */
export type Treatment = Pick<
  WrittenGroup,
  | 'mode'
  | 'checks'
  | 'timeouts'
  | 'unitFailures'
  | 'transport'
  | 'substituteOnHost'
  | 'windows'
  | 'reboot'
  | 'drift'
  | 'retention'
>;

/** One place of the file that says something of a host. */
export interface Layer {
  readonly path: readonly string[];
  readonly says: Treatment;
}

/** Finds all that is said of a host, the outermost first: of all, of its groups in the order of the file, of itself. */
export function layersIn(manifest: WrittenManifest, members: Members): (host: string) => readonly Layer[] {
  const ofAll: Layer = { path: ['defaults'], says: { ...manifest.defaults, windows: manifest.windows } };
  const ofGroups = new Map(
    Object.entries(manifest.groups ?? {}).map(([name, says]) => [name, { path: ['groups', name], says }]),
  );
  return (host) => [
    ofAll,
    ...(members.groupsOf.get(host) ?? []).flatMap((group) => ofGroups.get(group) ?? []),
    { path: ['hosts', host], says: manifest.hosts?.[host] ?? {} },
  ];
}
