import { checkedShare } from '../domain/check.ts';
import { resolveCheck } from './manifest-check.ts';
import { layersIn, type Layer } from './manifest-layers.ts';
import type { Members } from './manifest-members.ts';
import type { Contradiction } from './manifest-references.ts';
import { defaultTimeouts } from './manifest-resolve-host.ts';
import type { WrittenCheck } from './manifest-schema-check.ts';
import type { WrittenManifest } from './manifest-schema.ts';
import { msOf } from './manifest-words.ts';

/** Checks that could never pass often enough: the confirmation window of their host is over before. */
export function tooLittleTime(manifest: WrittenManifest, members: Members): readonly Contradiction[] {
  const layersOf = layersIn(manifest, members);
  const found = new Map<string, Contradiction>();
  for (const host of Object.keys(manifest.hosts ?? {})) {
    const layers = layersOf(host);
    const from = layers.findLast(({ says }) => says.checks !== undefined);
    for (const [i, check] of (from?.says.checks ?? []).entries()) {
      const message = lacksTime(check, host, layers);
      if (message === undefined) continue;
      const path = [...(from?.path ?? []), 'checks', i, 'successes'];
      // Said once of a check that many hosts have.
      if (!found.has(path.join(' '))) found.set(path.join(' '), { path, message });
    }
  }
  return [...found.values()];
}

function lacksTime(written: WrittenCheck, host: string, layers: readonly Layer[]): string | undefined {
  const [check] = resolveCheck(written, host);
  if (check === undefined || check.successes === 1) return undefined;
  const confirm = layers.findLast(({ says }) => says.timeouts?.confirm !== undefined)?.says.timeouts?.confirm;
  const confirmMs = msOf(confirm, defaultTimeouts.confirmMs);
  const share = check.before ? 1 : checkedShare;
  // At the very least; tries take time as well.
  const takesMs = (check.successes - 1) * check.intervalMs;
  if (takesMs < confirmMs * share) return undefined;
  const enough = text((takesMs + check.timeoutMs) / share);
  return (
    `to pass ${check.successes} times in a row, ${text(check.intervalMs)} apart, takes longer than there is time for on host ` +
    `"${host}", where timeouts.confirm is ${text(confirmMs)}: lower \`successes\` or \`interval\`, or make that ${enough}`
  );
}

/** As the file would have it, rounded up to whole seconds. */
function text(ms: number): string {
  if (ms < 1_000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms / 1_000);
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}
