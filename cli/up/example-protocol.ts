import { z } from 'zod';
import { Failure } from '../../shared/contracts/domain.ts';

/** What the program that runs the example's hosts says, one JSON value a line. */
export const ExampleMessage = z.discriminatedUnion('kind', [
  /** What it is doing now, for people. */
  z.object({ kind: z.literal('progress'), text: z.string() }),
  /** Hosts and repository are there, until its standard input ends. */
  z.object({
    kind: z.literal('ready'),
    /** The config repository that is watched. */
    repository: z.string(),
    ref: z.string(),
    /** What controller and worker need to reach the hosts. */
    env: z.record(z.string(), z.string()),
    /** The clone that a person works in. */
    workingCopy: z.string(),
    /** For `ssh -F`. */
    sshConfig: z.string(),
    hosts: z.array(z.object({ name: z.string(), address: z.string() })),
  }),
  z.object({ kind: z.literal('failed'), failure: Failure }),
]);
export type ExampleMessage = z.infer<typeof ExampleMessage>;
export type ExampleReady = Extract<ExampleMessage, { kind: 'ready' }>;
