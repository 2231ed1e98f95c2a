import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FleetError } from '../../shared/domain/errors.ts';

export type ProgramName = 'controller' | 'worker';

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
  return fromSource ? [process.execPath, '--import', 'tsx', main] : [process.execPath, main];
}
