import type { RecordedEnd } from '../../../shared/domain/contact.ts';
import type { Deployment } from '../../../shared/domain/deployment.ts';
import type { Failure } from '../../../shared/domain/errors.ts';
import type { DeploymentId, HostName, StorePath } from '../../../shared/domain/names.ts';
import type { Token } from '../../../shared/domain/token.ts';
import type { SimProcess } from '../scheduler.ts';

/** What a machine holds: all but `running` and `bootId` survives a power cut. */
export interface Machine {
  readonly name: HostName;
  /** `undefined` while it has no power. */
  running: SimProcess | undefined;
  /** Guards and watchdogs of this boot: they end with it. */
  readonly units: Set<SimProcess>;
  bootId: string;
  current: StorePath;
  booted: StorePath;
  profile: StorePath;
  profileGeneration: number;
  readonly generations: Map<number, StorePath>;
  bootDefault: StorePath;
  /** What boots next, and only then. */
  bootOnce: StorePath | undefined;
  /** What a person has chosen in the boot menu, as long as it runs: that is drift, and no fault of Varve. */
  chosen: StorePath | undefined;
  /** It stands still half-way into its boot, until somebody switches it off and on. */
  hung: boolean;
  owner: string | undefined;
  highest: Token | undefined;
  readonly records: Map<DeploymentId, GuardRecord>;
  readonly store: Set<StorePath>;
  linkDownUntil: number;
  /** Somebody else switches its configuration until then. */
  switchLockedUntil: number;
  /** Units that fail here whatever the system. */
  readonly brokenUnits: Set<string>;
  /** Checks that come before an activation fail. */
  quarantined: boolean;
  /** Deployments whose worker was told that those checks pass. */
  readonly saidReady: Set<DeploymentId>;
}

/** What the invariants want to know, told at the moment it happens on the host. */
export interface HostWatch {
  started(machine: Machine, deployment: Deployment): void;
  /** The running system, the profile or the boot default was changed on behalf of a deployment. */
  changed(machine: Machine, deployment: Deployment, toplevel: StorePath): void;
  ended(machine: Machine, deployment: Deployment, end: RecordedEnd): void;
  probed(machine: Machine, incarnation: string): void;
}

/** Rules of the guard that can be switched off, to show that the checks notice. */
export interface HostSabotage {
  readonly acceptsAnyToken?: boolean;
  readonly ignoresLock?: boolean;
  readonly forgetsRecords?: boolean;
  readonly neverRollsBack?: boolean;
}

/** The journal of one deployment on the host's disk. */
export interface GuardRecord {
  readonly deployment: Deployment;
  readonly previous: StorePath;
  /** What a boot loader that cannot be set leads back to. */
  readonly profile: StorePath;
  readonly profileGeneration: number;
  readonly bootId: string;
  /** Units that had failed before. */
  readonly baseline: readonly string[];
  /** Since when the system runs: from here on the worker has `confirmMs` to say so. */
  switchedAt: number | undefined;
  /** Made once, exclusively: who decides first wins. */
  decided: 'confirmed' | 'rolling-back' | undefined;
  /** Profile and boot default may be other ones than before. */
  touchedDefault: boolean;
  /** Why the host goes back, once it does, and whether the toplevel is to blame. */
  goesBack: Failure | undefined;
  blamed: boolean;
  /** The reboot was ordered, and the boot in which the host was seen to run the new system. */
  ordered: boolean;
  seenBoot: string | undefined;
  end: RecordedEnd | undefined;
}
