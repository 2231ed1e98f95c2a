import type { Action, Delivery, Phase } from './deployment.ts';
import type { Systems } from './contact.ts';
import type { Failure } from './errors.ts';
import type { Connection, Mode } from './fleet.ts';
import type { DeploymentId, DrvPath, HostName, Revision, StorePath, Tree } from './names.ts';
import type { Observation, Release, ReleaseKey } from './observation.ts';
import { scopeText, type Scope } from './policy.ts';
import type { TestedBranch } from './testing.ts';
import type { Token } from './token.ts';

/** Who did it: `varve`, or a person as the API knew them. */
export type Actor = string;

interface Base {
  /** Milliseconds since the epoch, by the leader's clock. */
  readonly at: number;
}

/** Which generation of which host a deployment is for. */
export interface Aim {
  readonly deployment: DeploymentId;
  readonly host: HostName;
  readonly observation: number;
  readonly revision: Revision;
  readonly tree: Tree;
  readonly toplevel: StorePath;
  /** `undefined`: a system that no release of this Varve has, only the host itself. */
  readonly drvPath: DrvPath | undefined;
  readonly action: Action;
  readonly mode: Mode;
  readonly token: Token;
}

/**
 * What the ledger keeps: everything that cannot be derived from the source and the hosts. Appending the same fact
 * twice changes nothing (`factKey` says what "the same" is).
 */
export type Fact =
  /** The first fact of a ledger. `owner` is a random id: hosts carry it. */
  | (Base & { readonly kind: 'genesis'; readonly owner: string })
  /** A leadership began. */
  | (Base & { readonly kind: 'epoch'; readonly epoch: number; readonly leader: string })
  | (Base & {
      readonly kind: 'observation';
      readonly observation: Observation;
      /** Names the release that is wanted; absent where the manifest of the revision is invalid. */
      readonly key: ReleaseKey | undefined;
    })
  | (Base & { readonly kind: 'release'; readonly release: Release; readonly durationMs: number })
  | (Base & {
      readonly kind: 'evaluation-failed';
      readonly key: string;
      readonly tree: Tree;
      readonly failure: Failure;
    })
  /** A host has this Varve as its owner from here on; what it ran is generation 0. */
  | (Base & {
      readonly kind: 'adopted';
      readonly host: HostName;
      readonly by: Actor;
      readonly takeover: boolean;
      readonly running: StorePath | undefined;
      readonly connection: Connection;
    })
  /** A person asked for a host to be adopted; carried out when the host is reached. */
  | (Base & {
      readonly kind: 'adopt-asked';
      readonly host: HostName;
      readonly by: Actor;
      readonly takeover: boolean;
    })
  /** Durable before the activation is queued. */
  | (Base & {
      readonly kind: 'intent';
      readonly aim: Aim;
      readonly connection: Connection;
      readonly reason: string;
      readonly createdAt: number;
    })
  /** How a deployment ended. One that never came to an activation has an outcome without an intent. */
  | (Base & {
      readonly kind: 'outcome';
      readonly aim: Aim;
      readonly phase: Phase;
      readonly connection: Connection;
      readonly delivery: Delivery | undefined;
      readonly previous: StorePath | undefined;
      readonly failure: Failure | undefined;
      readonly evidence: boolean;
      readonly reason: string;
      readonly createdAt: number;
      readonly timeline: Readonly<Partial<Record<Phase, number>>>;
    })
  | (Base & {
      readonly kind: 'hold';
      readonly scope: Scope;
      readonly by: Actor;
      readonly reason: string;
      readonly until: number | undefined;
    })
  | (Base & { readonly kind: 'hold-lifted'; readonly scope: Scope; readonly by: Actor })
  /** Nothing is begun anywhere until `resumed`. */
  | (Base & { readonly kind: 'suspended'; readonly by: Actor; readonly reason: string })
  | (Base & { readonly kind: 'resumed'; readonly by: Actor })
  /** Closed windows and freezes do not count there until then: an emergency. */
  | (Base & {
      readonly kind: 'override';
      readonly scope: Scope;
      readonly by: Actor;
      readonly reason: string;
      readonly until: number;
    })
  /** A person lets the release of an observation into a wave or a group. */
  | (Base & {
      readonly kind: 'approved';
      readonly observation: number;
      readonly gate: Gate;
      readonly by: Actor;
    })
  /** What a host's testing branch holds from here on; `undefined`: it is gone. */
  | (Base & { readonly kind: 'testing'; readonly host: HostName; readonly branch: TestedBranch | undefined })
  /** How a rollout went on. */
  | (Base & { readonly kind: 'rollout'; readonly observation: number; readonly change: RolloutChange })
  /**
   * A host is to return to a system that ran before. By a person: as long as the host is held. With its wave: until
   * something else than `from` is wanted there.
   */
  | (Base & {
      readonly kind: 'pin';
      readonly host: HostName;
      readonly by: Actor;
      readonly reason: string;
      readonly cause: 'person' | 'wave';
      readonly to: PinnedSystem;
      /** What was wanted there then. */
      readonly from: StorePath | undefined;
    })
  /** A person asked for remembered failures to be forgotten: of one host, or of the whole fleet. */
  | (Base & {
      readonly kind: 'retry';
      readonly host: HostName | undefined;
      readonly by: Actor;
      /** The drift that was shown when a retry of the host was asked for: this may be replaced, and no other. */
      readonly drift: Systems | undefined;
    });

/** What an approval opens. */
export interface Gate {
  readonly kind: 'wave' | 'group';
  readonly name: string;
}

export type RolloutChange =
  /** Its first activation is about to be queued. `absent`: hosts that could not be reached then; they do not count. */
  | {
      readonly kind: 'began';
      readonly absent: readonly HostName[];
      /** Whoever is on trial stays so; not, where rollouts did not say yet that they had ended. */
      readonly keepsTrials: boolean;
    }
  /** Its hosts are there, healthy, and the soak time is over: the next wave may begin. */
  | { readonly kind: 'wave-passed'; readonly wave: string }
  /** Too many of its hosts failed, these; nothing goes on without a commit or a retry. */
  | {
      readonly kind: 'wave-failed';
      readonly wave: string;
      readonly reason: string;
      readonly hosts: readonly HostName[];
    }
  /** Every wave is through: what becomes of its hosts from now on says nothing about the release. */
  | { readonly kind: 'ended' };

/** A system that a host ran before, and where it came from. */
export interface PinnedSystem {
  readonly toplevel: StorePath;
  readonly drvPath: DrvPath | undefined;
  /** The generation that it was; 0 for what the host ran when it was adopted. */
  readonly observation: number;
}

export type FactKind = Fact['kind'];
export type FactOf<Kind extends FactKind> = Extract<Fact, { readonly kind: Kind }>;

/** Two facts with the same key say the same: the second is dropped. */
export function factKey(fact: Fact): string {
  switch (fact.kind) {
    case 'genesis':
      return 'genesis';
    case 'epoch':
      return `epoch ${fact.epoch}`;
    case 'observation':
      return `observation ${fact.observation.n}`;
    case 'release':
      return `release ${fact.release.key}`;
    case 'intent':
    case 'outcome':
      return `${fact.kind} ${fact.aim.deployment}`;
    case 'adopted':
    case 'adopt-asked':
    case 'pin':
    case 'testing':
      return `${fact.kind} ${fact.host} ${fact.at}`;
    case 'hold':
    case 'hold-lifted':
    case 'override':
      return `${fact.kind} ${scopeText(fact.scope)} ${fact.at}`;
    case 'suspended':
    case 'resumed':
      return `${fact.kind} ${fact.at}`;
    case 'approved':
      return `approved ${fact.observation} ${fact.gate.kind} ${fact.gate.name}`;
    case 'rollout':
      return `rollout ${fact.observation} ${fact.change.kind} ${'wave' in fact.change ? fact.change.wave : ''} ${fact.at}`;
    case 'evaluation-failed':
      return `evaluation-failed ${fact.key} ${fact.at}`;
    case 'retry':
      return `retry ${fact.host ?? ''} ${fact.at}`;
  }
}
