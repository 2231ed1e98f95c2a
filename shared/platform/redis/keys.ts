import { FleetError } from '../../domain/errors.ts';

const fleetName = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Rises when the live state's JSON changes so that an older program could not read it: the new program then starts
 * from an empty store, as after a loss.
 */
const layout = 1;

/**
 * Where everything of a fleet lives in Redis. The braces are a hash tag: on a cluster all of a fleet's keys are in
 * one slot, so that one script may touch several of them.
 *
 * @throws FleetError INVALID_INPUT
 */
export function keysOf(fleet: string): (name: string) => string {
  if (!fleetName.test(fleet)) {
    throw new FleetError({
      code: 'INVALID_INPUT',
      disposition: 'stalled',
      message: `${JSON.stringify(fleet.slice(0, 80))} is not a name for a fleet`,
      hint: 'use 1 to 63 lower-case letters, digits and inner hyphens',
    });
  }
  return (name) => `{varve:${fleet}}:${layout}:${name}`;
}
