import type { Random } from './random.ts';

/** What a fleet may have beyond hosts, commits and waves. */
const features = [
  'windows',
  'freezes',
  'approvals',
  'groups',
  'modes',
  'dependencies',
  'checks',
  'roll-backs',
  'suspensions',
  'testing',
] as const;

export type Feature = (typeof features)[number];
export type Features = ReadonlySet<Feature>;

/** A quarter of all stories have none of them, and few have many: all at once would hide what each of them does. */
export function drawFeatures(random: Random): Features {
  const share = random.pick([0, 0.25, 0.25, 0.6]);
  return new Set(features.filter(() => random.chance(share)));
}
