import { isCatchAll, restWave } from './manifest-members.ts';
import type { Members } from './manifest-members.ts';
import { references } from './manifest-references.ts';
import type { Contradiction } from './manifest-references.ts';
import type { WrittenManifest } from './manifest-schema.ts';

/** Waves that cannot be told apart, or that would be of the same hosts. */
export function wrongWaves({ rollout }: WrittenManifest): readonly Contradiction[] {
  const waves = rollout?.waves ?? [];
  const firstOf = new Map<string, number>();
  const catchAll = waves.findIndex(isCatchAll);
  return waves.flatMap((wave, i): readonly Contradiction[] => {
    const path = ['rollout', 'waves', i];
    const first = firstOf.get(wave.name) ?? i;
    firstOf.set(wave.name, first);
    if (first !== i) {
      return [{ path: [...path, 'name'], message: `wave ${first + 1} is called "${wave.name}" too` }];
    }
    if (isCatchAll(wave) && i !== catchAll) {
      return [
        {
          path,
          message: `wave "${waves[catchAll]?.name}" selects nothing either: only one wave can be of all other hosts`,
        },
      ];
    }
    if (isCatchAll(wave) && i !== waves.length - 1) {
      return [
        {
          path,
          message:
            `wave "${wave.name}" selects nothing, so it is of every host that no other wave has, and must be the last; ` +
            'add `select`, `hosts` or `groups`',
        },
      ];
    }
    if (wave.name === restWave && !isCatchAll(wave)) {
      return [
        {
          path: [...path, 'name'],
          message: `"${restWave}" is the wave of all hosts that no other has: leave its selection out, or call it otherwise`,
        },
      ];
    }
    return [];
  });
}

/**
 * Dependencies against the order of the waves: a host of an earlier wave would wait for one of a later wave, which
 * waits for the earlier.
 */
export function againstTheWaves(manifest: WrittenManifest, members: Members): readonly Contradiction[] {
  if (members.waves.length === 0) return [];
  const hostsOf = (name: string): readonly string[] => members.hostsOf.get(name) ?? [name];
  const wave = (host: string): number => members.waveOf.get(host) ?? 0;
  const ends = new Map<string, { readonly first: string; readonly last: string } | undefined>();
  const endsOf = (name: string) => {
    if (!ends.has(name)) {
      const [one, ...others] = hostsOf(name);
      ends.set(
        name,
        one === undefined
          ? undefined
          : {
              first: others.reduce((a, b) => (wave(b) < wave(a) ? b : a), one),
              last: others.reduce((a, b) => (wave(b) > wave(a) ? b : a), one),
            },
      );
    }
    return ends.get(name);
  };
  return [...references(manifest)].flatMap(({ path, name }): readonly Contradiction[] => {
    const [, owner, key] = path;
    if (key !== 'after' || typeof owner !== 'string') return [];
    const early = endsOf(owner)?.first;
    const late = endsOf(name)?.last;
    if (early === undefined || late === undefined || wave(late) <= wave(early)) return [];
    const named = (host: string): string => `"${host}" of wave "${members.waves[wave(host)]?.name}"`;
    return [
      {
        path,
        message: `${named(early)} would wait for ${named(late)}, which begins later: neither could ever begin`,
      },
    ];
  });
}
