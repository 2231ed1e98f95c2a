import type { Desired } from '../../shared/domain/desired.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';

/** A desired state that hosts are judged by. */
export type Followed = Extract<Desired, { readonly kind: 'evaluating' | 'ready' }>;

/** A verdict without the host that it is about. */
export type Said = Omit<Verdict, 'host' | 'deployment'>;

export const quiet = { waitsFor: undefined, until: undefined, toplevel: undefined, code: undefined } as const;

/** How a host stands to what is wanted. */
export type State = 'in-sync' | 'reboot' | 'persistent-differs' | 'differs';
