import { domainMutants } from './mutants/of-the-domain.ts';
import { gateMutants } from './mutants/of-the-gates.ts';
import { hostMutants } from './mutants/of-the-host.ts';
import { rolloutMutants } from './mutants/of-the-rollout.ts';
import { planMutants } from './mutants/of-the-plan.ts';
import { shellMutants } from './mutants/of-the-shell.ts';
import type { Mutant } from './run-mutants.ts';

/** Every rule that is broken on purpose, to see that the simulation notices. */
export const mutants: readonly Mutant[] = [
  ...planMutants,
  ...rolloutMutants,
  ...gateMutants,
  ...shellMutants,
  ...domainMutants,
  ...hostMutants,
];
