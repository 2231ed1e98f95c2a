import type { NixStore, PathInfo } from '../nix/store.ts';

/** Long enough for all hosts that get the same at a time; a path that is built anew may be another one. */
const rememberedMs = 60_000;

/**
 * What closures consist of, asked once for all hosts that get the same at about the same time: a thousand questions to the
 * store take longer than a small push does.
 */
export function rememberClosures(store: Pick<NixStore, 'closure'>): Pick<NixStore, 'closure'> {
  const recent = new Map<string, { readonly infos: Promise<readonly PathInfo[]>; readonly until: number }>();

  function dropOld(): void {
    for (const [key, { until }] of recent) if (until <= performance.now()) recent.delete(key);
  }

  return {
    closure(paths, options) {
      dropOld();
      const key = paths.join(' ');
      const known = recent.get(key);
      if (known !== undefined) return known.infos;
      // Who began it may leave; others have joined meanwhile.
      const infos = store.closure(paths, { ...options, signal: undefined });
      recent.set(key, { infos, until: performance.now() + rememberedMs });
      infos.catch(() => recent.delete(key));
      return infos;
    },
  };
}
