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
 * Hosts that would wait for each other although `after` has no circle: one that goes early for one that goes late, be it
 * by its wave or because Varve runs there.
 */
export function againstTheOrder(manifest: WrittenManifest, members: Members): readonly Contradiction[] {
  const order = orderOf(manifest, members);
  const endsOf = endsIn(members, order.placeOf);
  const backwards = [...references(manifest)].flatMap(({ path, name }): readonly Contradiction[] => {
    const [, owner, key] = path;
    if (key !== 'after' || typeof owner !== 'string') return [];
    const early = endsOf(owner)?.first;
    const late = endsOf(name)?.last;
    if (early === undefined || late === undefined) return [];
    if (order.placeOf(late) <= order.placeOf(early)) return [];
    return [
      {
        path,
        message: `${order.text(early)} would wait for ${order.text(late)}, which goes later: neither could ever begin`,
      },
    ];
  });
  return [...backwards, ...varveTooEarly(manifest, members)];
}

interface Order {
  readonly placeOf: (host: string) => number;
  readonly text: (host: string) => string;
}

/** Wave by wave; whatever runs Varve is after all of them. */
function orderOf({ hosts }: WrittenManifest, { waves, waveOf }: Members): Order {
  const runsVarve = (host: string): boolean => hosts?.[host]?.runsVarve === true;
  return {
    placeOf: (host) => (runsVarve(host) ? waves.length + 1 : (waveOf.get(host) ?? 0)),
    text: (host) => {
      const wave = waves[waveOf.get(host) ?? 0];
      if (runsVarve(host)) return `"${host}", where Varve runs`;
      return wave === undefined ? `"${host}"` : `"${host}" of wave "${wave.name}"`;
    },
  };
}

/** Of a host or a group: which of its hosts goes first, and which last. */
function endsIn(members: Members, placeOf: Order['placeOf']) {
  const known = new Map<string, { readonly first: string; readonly last: string } | undefined>();
  return (name: string) => {
    if (known.has(name)) return known.get(name);
    const [one, ...others] = members.hostsOf.get(name) ?? [name];
    const ends =
      one === undefined
        ? undefined
        : {
            first: others.reduce((a, b) => (placeOf(b) < placeOf(a) ? b : a), one),
            last: others.reduce((a, b) => (placeOf(b) > placeOf(a) ? b : a), one),
          };
    known.set(name, ends);
    return ends;
  };
}

/** A wave cannot be done while its host that runs Varve waits for the hosts of later waves. */
function varveTooEarly({ hosts }: WrittenManifest, { waves, waveOf }: Members): readonly Contradiction[] {
  const place = (host: string): number => waveOf.get(host) ?? 0;
  const written = Object.entries(hosts ?? {});
  const others = written.flatMap(([name, host]) => (host?.runsVarve === true ? [] : [place(name)]));
  const last = others.reduce((a, b) => Math.max(a, b), 0);
  return written
    .filter(([name, host]) => host?.runsVarve === true && place(name) < last)
    .map(([name]) => ({
      path: ['hosts', name, 'runsVarve'],
      message:
        `where Varve runs goes last, but "${name}" is in wave "${waves[place(name)]?.name}", which wave ` +
        `"${waves[last]?.name}" waits for: select it in no wave before that one`,
    }));
}
