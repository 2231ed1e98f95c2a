import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FleetError } from '../../shared/domain/errors.ts';

export type ProgramName = 'controller' | 'worker';

/**
 * What Node is told to run it. A push asks for memory for every packet twice, and outside of the heap; a worker whose heap
 * keeps little that is new collects that often and quickly, instead of all of it now and then: a third less processor time
 * for a push.
 */
export const nodeOptions: Readonly<Record<ProgramName, readonly string[]>> = {
  controller: [],
  worker: ['--max-semi-space-size=2'],
};

/**
 * How a program of this installation is started: built, from `dist`; while it is developed, from its source.
 * @throws FleetError PROGRAM_MISSING
 */
export function programArgv(name: ProgramName): readonly [string, ...string[]] {
  const fromSource = import.meta.url.endsWith('.ts');
  const main = fileURLToPath(new URL(`../../${name}/main.${fromSource ? 'ts' : 'js'}`, import.meta.url));
  if (!existsSync(main)) {
    throw new FleetError({
      code: 'PROGRAM_MISSING',
      disposition: 'stalled',
      message: `the program of the ${name} is not at ${main}`,
      hint: 'build it first: npm run build',
    });
  }
  const loader = fromSource ? ['--import', 'tsx'] : [];
  return [process.execPath, ...nodeOptions[name], ...loader, main];
}
