import type { Connection } from '../../shared/domain/fleet.ts';
import type { DeploymentId, HostName, StorePath } from '../../shared/domain/names.ts';
import type { StepContext } from '../../shared/platform/ports/steps.ts';
import type { PathInfo } from '../nix/store.ts';

export interface PushRequest {
  readonly host: HostName;
  /** Names the roots on the host. */
  readonly deployment: DeploymentId;
  readonly connection: Connection;
  /** What is to be valid and rooted on the host, by the name of its root. */
  readonly paths: ReadonlyMap<string, StorePath>;
  readonly deadlineMs: number;
  /** The host first fetches what its own substituters have. Not unless it is said. */
  readonly substitute?: boolean;
}

export interface Pushed {
  /** Paths that the host lacked, and has now. */
  readonly paths: number;
  /** Their size as archives. */
  readonly bytes: number;
  /** All that the paths reference, themselves included. */
  readonly closure: readonly PathInfo[];
}

/** Brings closures to hosts. The one place that knows how. */
export interface Push {
  /**
   * Makes the paths valid on the host and roots them there. What the host has is not sent again.
   * @throws FleetError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_MISMATCH, HOST_AUTH_FAILED, DISK_FULL, PUSH_FAILED,
   * CANCELLED
   */
  push(request: PushRequest, context: StepContext): Promise<Pushed>;
}
