import type { FactOf } from './facts.ts';

/** What a step of a rollout says, for people. */
export function rolloutText({ observation, change }: FactOf<'rollout'>): string {
  switch (change.kind) {
    case 'began':
      return `rollout of observation ${observation} begins`;
    case 'wave-passed':
      return `wave ${change.wave} passed observation ${observation}`;
    case 'wave-failed':
      return `wave ${change.wave} failed observation ${observation}: ${change.reason}`;
    case 'ended':
      return `rollout of observation ${observation} is through`;
  }
}
