import type { Drift, Sighting } from '../../../shared/domain/drift.ts';
import { instantText } from './window-text.ts';

/** `profile generation 7 was set on 26 November 2026 03:18 UTC; ada ran sudo nixos-rebuild switch`: for people. */
export function driftText(drift: Drift): string {
  const when = drift.at === undefined ? '' : ` on ${instantText(drift.at)}`;
  return [`${done(drift)}${when}`, ...sightingsText(drift.sightings)].join('; ');
}

function done({ kind, generation }: Drift): string {
  const what =
    generation === undefined ? 'a system that is no profile generation' : `profile generation ${generation}`;
  switch (kind) {
    case 'profile':
      return `${generation === undefined ? 'the profile' : what} was set`;
    case 'switched':
      return `it was switched to ${what}`;
    case 'booted':
      return `it was booted into ${what}`;
    case 'boot-default':
      return 'another system was made to boot';
  }
}

function sightingsText(sightings: readonly Sighting[]): readonly string[] {
  const logins = sightings.flatMap((one) => (one.kind === 'login' ? [`${one.user} from ${one.from}`] : []));
  return [
    ...sightings.flatMap((one) => (one.kind === 'sudo' ? [`${one.user} ran sudo ${one.command}`] : [])),
    ...(logins.length === 0 ? [] : [`logged in then: ${logins.join(', ')}`]),
  ];
}
