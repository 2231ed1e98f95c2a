import { createSingleFlight } from '../../shared/platform/single-flight.ts';
import type { NixStore, PathInfo } from '../nix/store.ts';

/** Long enough for all hosts that get the same at a time; a path that is built anew may be another one. */
const rememberedMs = 60_000;

/**
 * What closures consist of, asked once for all hosts that get the same at about the same time: a thousand questions to the
 * store take longer than a small push does. Who began it may leave: the question ends when nobody waits for it any more.
 */
export function rememberClosures(store: Pick<NixStore, 'closure'>): Pick<NixStore, 'closure'> {
  const recent = new Map<string, { readonly infos: readonly PathInfo[]; readonly until: number }>();
  const asking = createSingleFlight<readonly PathInfo[]>();

  function dropOld(): void {
    for (const [key, { until }] of recent) if (until <= performance.now()) recent.delete(key);
  }

  return {
    async closure(paths, options) {
      dropOld();
      const key = paths.join(' ');
      const known = recent.get(key);
      if (known !== undefined) return known.infos;
      const until = performance.now() + rememberedMs;
      return asking.run(key, options.signal, async (shared) => {
        const infos = await store.closure(paths, { ...options, signal: shared });
        recent.set(key, { infos, until });
        return infos;
      });
    },
  };
}
