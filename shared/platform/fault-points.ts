import { FleetError } from '../domain/errors.ts';
import { faultPointNames, noFaults, type FaultPoint, type FaultPointName } from './ports/faults.ts';

/**
 * What `VARVE_FAULT_POINT` asks of a process that is started for a test: `kill:<name>:<n>` ends it by SIGKILL when it
 * passes the point for the n-th time, `stop:<name>:<n>` stops it there, as a pause of the machine would. Without the
 * variable, nothing.
 * @throws FleetError CONFIG_INVALID for a name that is not on the closed list
 */
export function faultPointFromEnvironment(env: Readonly<Record<string, string | undefined>>): FaultPoint {
  const asked = env['VARVE_FAULT_POINT'];
  if (asked === undefined || asked === '') return noFaults;
  const [act, name, count] = asked.split(':');
  if ((act !== 'kill' && act !== 'stop') || !isFaultPoint(name)) {
    throw new FleetError({
      code: 'CONFIG_INVALID',
      disposition: 'stalled',
      message: `VARVE_FAULT_POINT=${asked} names no fault point`,
      hint: `use kill:<name>:<n> or stop:<name>:<n> with one of ${faultPointNames.join(', ')}`,
    });
  }
  let left = Number(count ?? '1');
  return async (passed) => {
    if (passed !== name) return;
    left -= 1;
    if (left !== 0) return;
    process.kill(process.pid, act === 'kill' ? 'SIGKILL' : 'SIGSTOP');
    // The end may take a moment to arrive: nothing more happens before it does. Who was stopped goes on at once with what
    // it was about to do, and finds the world as it is by then.
    if (act === 'kill') await new Promise((resolve) => setTimeout(resolve, 1_000));
  };
}

function isFaultPoint(text: string | undefined): text is FaultPointName {
  return faultPointNames.some((name) => name === text);
}
