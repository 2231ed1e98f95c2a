import { domainMutants } from './mutants/of-the-domain.ts';
import { hostMutants } from './mutants/of-the-host.ts';
import { planMutants } from './mutants/of-the-plan.ts';
import { shellMutants } from './mutants/of-the-shell.ts';
import type { Mutant } from './run-mutants.ts';

/** Every rule that is broken on purpose, to see that the simulation notices. */
export const mutants: readonly Mutant[] = [...planMutants, ...shellMutants, ...domainMutants, ...hostMutants];
