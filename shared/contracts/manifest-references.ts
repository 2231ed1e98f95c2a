import type { WrittenJump, WrittenManifest } from './manifest-schema.ts';
import { nearest } from './nearest.ts';

/** Something that no single value of the file is wrong about, with the place where it shows. */
export interface Contradiction {
  readonly path: readonly (string | number)[];
  /** Whether the last part of the path is a key that is meant, not its value. */
  readonly atKey?: boolean;
  readonly message: string;
}

/** The word that stands for all hosts where commands ask for a host or a group. */
const fleetWord = 'fleet';

/** Names that stand for nothing, or for two things. */
export function wrongNames(manifest: WrittenManifest): readonly Contradiction[] {
  return [...ambiguousNames(manifest), ...unknownNames(manifest)];
}

interface Reference {
  readonly path: readonly (string | number)[];
  readonly name: string;
  readonly to: readonly ('host' | 'group')[];
}

/** Every place where a host or a group is named. */
export function* references(manifest: WrittenManifest): Iterable<Reference> {
  const { defaults, groups, hosts, rollout, freezes } = manifest;
  const each = function* (
    at: Reference['path'],
    names: readonly string[] | undefined,
    to: Reference['to'],
  ): Iterable<Reference> {
    for (const [i, name] of (names ?? []).entries()) yield { path: [...at, i], name, to };
  };
  yield* jumpsIn(['defaults', 'jump'], defaults?.jump);
  for (const [name, group] of Object.entries(groups ?? {})) {
    yield* each(['groups', name, 'hosts'], group.hosts, ['host']);
    yield* each(['groups', name, 'after'], group.after, ['host', 'group']);
  }
  for (const [name, host] of Object.entries(hosts ?? {})) {
    yield* each(['hosts', name, 'after'], host?.after, ['host', 'group']);
    yield* jumpsIn(['hosts', name, 'jump'], host?.jump ?? undefined);
  }
  for (const [i, wave] of (rollout?.waves ?? []).entries()) {
    yield* each(['rollout', 'waves', i, 'hosts'], wave.hosts, ['host']);
    yield* each(['rollout', 'waves', i, 'groups'], wave.groups, ['group']);
  }
  for (const [i, { host, group }] of (freezes ?? []).entries()) {
    if (host !== undefined) yield { path: ['freezes', i, 'host'], name: host, to: ['host'] };
    if (group !== undefined) yield { path: ['freezes', i, 'group'], name: group, to: ['group'] };
  }
}

/** A jump host of the fleet: it ends what is written of the way. */
function* jumpsIn(path: Reference['path'], jump: WrittenJump | undefined): Iterable<Reference> {
  if (typeof jump === 'string') yield { path, name: jump, to: ['host'] };
  else if (jump !== undefined) yield* jumpsIn([...path, 'jump'], jump.jump);
}

/** To find what was meant takes a look at every name: for the first ones, which are those that are shown. */
const mostHints = 40;

function unknownNames(manifest: WrittenManifest): readonly Contradiction[] {
  const names = { host: manifest.hosts ?? {}, group: manifest.groups ?? {} };
  return [...references(manifest)]
    .filter(({ name, to }) => !to.some((kind) => Object.hasOwn(names[kind], name)))
    .map(({ path, name, to }, i) => {
      const hint = i < mostHints ? whatWasMeant({ path, name, to }, names) : '';
      return { path, message: `there is no ${to.join(' or ')} "${name}"${hint}` };
    });
}

function whatWasMeant(
  { name, to }: Reference,
  names: Readonly<Record<'host' | 'group', Readonly<Record<string, unknown>>>>,
): string {
  const other = (['host', 'group'] as const).find((kind) => Object.hasOwn(names[kind], name));
  if (other !== undefined) return `; that is a ${other}`;
  const candidates = to.flatMap((kind) => Object.keys(names[kind]));
  const meant = nearest(name, candidates);
  return meant === undefined ? '' : `; did you mean \`${meant}\`?`;
}

function ambiguousNames({ groups, hosts }: WrittenManifest): readonly Contradiction[] {
  const doubled = Object.keys(groups ?? {})
    .filter((name) => Object.hasOwn(hosts ?? {}, name))
    .map((name) => ({
      path: ['groups', name],
      atKey: true,
      message: `there is a host "${name}" too, and commands take either by its name: call the group otherwise`,
    }));
  const reserved = (['groups', 'hosts'] as const)
    .filter((kind) => Object.hasOwn({ groups, hosts }[kind] ?? {}, fleetWord))
    .map((kind) => ({
      path: [kind, fleetWord],
      atKey: true,
      message: `for commands "${fleetWord}" means all hosts: choose another name`,
    }));
  return [...doubled, ...reserved];
}
