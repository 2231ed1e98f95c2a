/** How often a check is asked, how long each time, and how often in a row it must pass. */
export interface CheckPace {
  readonly intervalMs: number;
  /** Of one try. */
  readonly timeoutMs: number;
  readonly successes: number;
  /** Asked before an activation begins, instead of after it: while it fails, the host is left alone. */
  readonly before: boolean;
}

/** How much of the confirmation window is for checks: what they say has to reach the host within it as well. */
export const checkedShare = 0.9;

/** What every sample of a Prometheus query must be; all that is given counts. */
export interface Bounds {
  readonly above?: number;
  readonly below?: number;
  readonly equals?: number;
}

/** What a check looks at. */
export type CheckSubject =
  /** A systemd unit of the host that must be active. */
  | { readonly kind: 'unit'; readonly name: string }
  | { readonly kind: 'http'; readonly url: string; readonly status: number }
  | { readonly kind: 'tcp'; readonly port: number }
  /** A program on the host. */
  | { readonly kind: 'command'; readonly command: readonly string[] }
  /** A program that the workers know by this name. */
  | { readonly kind: 'worker'; readonly name: string }
  | { readonly kind: 'prometheus'; readonly url: string; readonly query: string; readonly bounds: Bounds };

/** A health check: asked after every switch before it is acknowledged, and with later probes; or before an activation. */
export type Check = CheckPace & CheckSubject;

/** What one check said of a host that runs what is wanted. */
export interface CheckResult {
  readonly name: string;
  readonly healthy: boolean;
  /** Why not, for people. */
  readonly message?: string;
  /** When it is worth asking again, in milliseconds. */
  readonly intervalMs: number;
}

/** What a check is called in messages. */
export function checkName(check: CheckSubject): string {
  switch (check.kind) {
    case 'unit':
      return `unit ${check.name}`;
    case 'http':
      return check.url;
    case 'tcp':
      return `port ${check.port}`;
    case 'command':
      return `the command ${check.command[0] ?? ''}`;
    case 'worker':
      return `the worker command ${check.name}`;
    case 'prometheus':
      return `the query ${check.query}`;
  }
}
