import type {
  AdoptRequest,
  ApproveRequest,
  CommandDone,
  HoldRequest,
  OverrideRequest,
  ReleaseRequest,
  RevertDone,
  RollbackDone,
  RollbackRequest,
  SuspendRequest,
} from '../../shared/contracts/api-commands.ts';
import type {
  DiffView,
  FleetHistory,
  HostHistory,
  LogLine,
  Shown,
} from '../../shared/contracts/api-history.ts';
import type { PlanView, Status, Why } from '../../shared/contracts/api.ts';
import type { Actor } from '../../shared/domain/facts.ts';
import type { DeploymentId, HostName, Revision, Tree } from '../../shared/domain/names.ts';

/** Whether this controller may carry out commands. */
export type Leadership =
  | { readonly kind: 'leading' }
  /** `leader`: where the leader's API answers, if that is known. */
  | { readonly kind: 'standby'; readonly leader: string | undefined };

/** Why someone wants a look at the repository. */
export interface SyncHint {
  readonly cause: 'webhook' | 'command';
  readonly actor: Actor;
}

export interface Readiness {
  readonly ready: boolean;
  /** What is missing, for people; empty when ready. */
  readonly reasons: readonly string[];
}

/**
 * What the HTTP surface needs of the controller. Reads answer from what is known and wait for nothing; they may be
 * asked of a standby. A command resolves when its fact is durable in the ledger. Hosts, revisions and deployments
 * that are not known are FleetError NOT_FOUND.
 */
export interface FleetBackend {
  leadership(): Leadership;
  /** Can it do its work (Redis, ledger, first look)? Standbys are ready too. */
  readiness(): Promise<Readiness>;

  status(): Promise<Status>;
  plan(): Promise<PlanView>;
  why(host: HostName): Promise<Why>;
  fleetHistory(limit: number): Promise<FleetHistory>;
  hostHistory(host: HostName, limit: number): Promise<HostHistory>;
  showDeployment(id: DeploymentId): Promise<Shown>;
  showRevision(revision: Revision): Promise<Shown>;
  /** Packages and sizes between the releases of two revisions. @throws FleetError NOT_FOUND, EVALUATION_FAILED */
  diff(host: HostName, from: Revision, to: Revision): Promise<DiffView>;

  /** Asks for one look; many at once cost one or two looks. Resolves at once. */
  sync(hint: SyncHint): Promise<void>;
  /** Asks for a probe of every host; returns since when probes count as the answer. Resolves at once. */
  probe(): Promise<number>;
  retry(host: HostName | undefined, actor: Actor): Promise<CommandDone>;
  adopt(host: HostName, request: AdoptRequest, actor: Actor): Promise<CommandDone>;
  hold(request: HoldRequest, actor: Actor): Promise<CommandDone>;
  /** @throws FleetError CONFLICT for a host that only a group or the fleet is held with */
  release(request: ReleaseRequest, actor: Actor): Promise<CommandDone>;
  suspend(request: SuspendRequest, actor: Actor): Promise<CommandDone>;
  resume(actor: Actor): Promise<CommandDone>;
  override(request: OverrideRequest, actor: Actor): Promise<CommandDone>;
  /** @throws FleetError CONFLICT when something newer than what is approved was seen */
  approve(request: ApproveRequest, actor: Actor): Promise<CommandDone>;
  /** Holds the host, and returns it to what ran there before. @throws FleetError CONFLICT when that runs already */
  rollback(host: HostName, request: RollbackRequest, actor: Actor): Promise<RollbackDone>;
  /** Makes and pushes a commit that undoes `revision`. @throws FleetError CONFLICT when it does not revert cleanly */
  revert(revision: Revision, actor: Actor): Promise<RevertDone>;

  /** A Git pack with the synthetic commit of the tree. @throws FleetError NOT_FOUND */
  pack(tree: Tree): Promise<Uint8Array>;
}

/** The log of a deployment, as the HTTP surface reads it. */
export interface LogReader {
  /** The lines after `after` (all that are kept, without it), and whether more can come. */
  read(id: DeploymentId, after: string | undefined): Promise<LogSlice>;
  /** Calls back when there may be something new to read. Returns the closer. */
  follow(id: DeploymentId, callback: () => void): Promise<() => Promise<void>>;
}

export interface LogSlice {
  readonly lines: readonly LogLine[];
  /** The deployment has ended: nothing will be added. */
  readonly complete: boolean;
}
