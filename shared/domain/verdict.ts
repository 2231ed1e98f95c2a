import type { Action } from './deployment.ts';
import type { ErrorCode } from './errors.ts';
import type { DeploymentId, HostName, StorePath } from './names.ts';

export const verdictKinds = [
  'in-sync',
  'deliver',
  'activate',
  'finalise',
  'probe',
  'wait',
  'held',
  'superseded',
  'stalled',
  'unreachable',
  'unmanaged',
  'orphaned',
] as const;

export type VerdictKind = (typeof verdictKinds)[number];

/** What a verdict waits for. */
export type WaitsFor =
  | 'the source'
  | 'evaluation'
  | 'activation'
  | 'recovery'
  | 'back-off'
  | 'lock'
  | 'reboot'
  | 'window'
  | 'wave'
  | 'soak'
  | 'budget'
  | 'approval'
  | 'dependency'
  | 'check'
  | 'commit or retry'
  | 'adoption'
  | 'host'
  | 'person';

/** What one pass decided for one host, and why. Exactly one per host. */
export interface Verdict {
  readonly host: HostName;
  readonly kind: VerdictKind;
  /** One line for people. */
  readonly reason: string;
  readonly waitsFor: WaitsFor | undefined;
  /** When it is looked at again at the latest, in milliseconds since the epoch, if that is known. */
  readonly until: number | undefined;
  /** What is wanted. */
  readonly toplevel: StorePath | undefined;
  /** What the deployment that it asks for, or goes on with, is to do; absent: what the kind says. */
  readonly action?: Action;
  /** The live deployment that the verdict is about. */
  readonly deployment: DeploymentId | undefined;
  /** Why it is stalled, unreachable or waiting, where that is an error. */
  readonly code: ErrorCode | undefined;
}
