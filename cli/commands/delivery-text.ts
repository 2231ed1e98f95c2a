import { bytes, counted } from '../words.ts';

/** What a delivery did, in a few words: for a quick revert, that it did nothing. */
export function deliveryText(delivery: {
  readonly builds: number;
  readonly pushedPaths: number;
  readonly pushedBytes: number;
}): string {
  const { builds, pushedPaths, pushedBytes } = delivery;
  if (builds === 0 && pushedPaths === 0) return 'nothing to build or push';
  const built = builds === 0 ? 'nothing built' : counted(builds, 'build');
  return `${built}, ${counted(pushedPaths, 'path')} pushed (${bytes(pushedBytes)})`;
}
