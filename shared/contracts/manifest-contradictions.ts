import { circles, tooManyDependencies } from './manifest-after.ts';
import { wrongJumps } from './manifest-connections.ts';
import { tooLittleTime } from './manifest-check-time.ts';
import { membersOf } from './manifest-members.ts';
import { wrongNames } from './manifest-references.ts';
import type { Contradiction } from './manifest-references.ts';
import type { WrittenManifest } from './manifest-schema.ts';
import { againstTheOrder, wrongWaves } from './manifest-waves.ts';

/** What the parts of a file say against each other, although each by itself is right. */
export function contradictions(manifest: WrittenManifest): readonly Contradiction[] {
  const wrong = [...wrongNames(manifest), ...wrongWaves(manifest)];
  // Who waits for whom is only clear when every name stands for something.
  if (wrong.length > 0) return wrong;
  const ways = wrongJumps(manifest);
  if (ways.length > 0) return ways;
  const members = membersOf(manifest);
  const circle = circles(manifest, members);
  if (circle.length > 0) return circle;
  return [
    ...againstTheOrder(manifest, members),
    ...tooManyDependencies(manifest, members),
    ...tooLittleTime(manifest, members),
  ];
}
