import { availableParallelism } from 'node:os';

/** Memory that may be used before the system or the control group runs short, and cores. */
export function machineNow(share: number): {
  readonly availableBytes: number;
  readonly cores: number;
} {
  return { availableBytes: process.availableMemory() * share, cores: availableParallelism() };
}
