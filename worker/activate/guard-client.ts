import type { Deployment } from '../../shared/domain/deployment.ts';
import { type ErrorCode, type Failure, FleetError, errorCodes } from '../../shared/domain/errors.ts';
import { lastLines } from '../../shared/platform/plain-lines.ts';
import { asRoot } from '../ssh/remote-shell.ts';
import type { Session } from '../ssh/session.ts';
import { guardStorePath } from '../guard/guard-path.ts';

export type GuardVerb = 'start' | 'acknowledge' | 'reject' | 'check' | 'follow' | 'hook';

/** What is sent and received in one exec of the guard. */
export interface GuardCall {
  readonly verb: GuardVerb;
  readonly request: readonly (readonly [key: string, value: string | number])[];
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  onAnswer(answer: GuardAnswer): void;
}

export type GuardAnswer =
  | { readonly kind: 'now'; readonly uptime: number }
  | { readonly kind: 'previous'; readonly path: string }
  | { readonly kind: 'journal'; readonly line: string }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'healthy' }
  /** A hook was not run: what it comes before has begun. */
  | { readonly kind: 'known' }
  /** The hook before a reboot was begun before. */
  | { readonly kind: 'draining' }
  | { readonly kind: 'unhealthy'; readonly text: string }
  | { readonly kind: 'refused'; readonly failure: Failure };

// The verb, the guard's path and the deployment come first on stdin; `read` takes no byte more than its line. What a
// guard of before has begun, that one carries on: a worker of another version may have put another one on the host.
const command = asRoot(
  [
    'IFS= read -r verb && IFS= read -r guard && IFS= read -r id || exit 64',
    'case $id in "" | *[!0-9a-z]*) id=- ;; esac',
    'data=/nix/var/varve/records/$id/data',
    'if ! [ -r "$guard" ] && [ -r "$data" ]; then',
    '  while IFS="=" read -r key value; do [ "$key" = guard ] && guard=$value; done < "$data"',
    'fi',
    'case $guard in /nix/store/*) ;; *) exit 64 ;; esac',
    'case ${guard#/nix/store/} in *[!0-9a-zA-Z+._?=-]*) exit 64 ;; esac',
    'case $verb in start | acknowledge | reject | check | follow | hook) ;; *) exit 64 ;; esac',
    '[ -r "$guard" ] || { echo "refused PUSH_FAILED guard=missing"; exit 0; }',
    'exec /bin/sh "$guard" "$verb"',
  ].join('\n'),
);

/** @throws FleetError of the session; INTERNAL when the guard ended with an error of its own */
export async function callGuard(session: Session, call: GuardCall): Promise<void> {
  const lines = call.request.map(([key, value]) => `${key}=${oneLine(String(value))}\n`);
  const result = await session.exec(command, {
    stdin: `${call.verb}\n${guardStorePath()}\n${deploymentOf(call)}\n${lines.join('')}`,
    deadlineMs: call.deadlineMs,
    signal: call.signal,
    maxOutputBytes: 256 * 1024,
    onLine: (line) => {
      const answer = parseAnswer(line);
      if (answer !== undefined) call.onAnswer(answer);
    },
  });
  if (result.code === 0) return;
  throw new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: `the guard ended with ${result.code ?? result.signal ?? 'nothing'}`,
    hint: 'can the deploy user become root on the host?',
    details: { stderr: lastLines(result.stderr, 500) },
  });
}

function deploymentOf({ request }: GuardCall): string {
  return String(request.find(([key]) => key === 'deployment')?.[1] ?? '-');
}

/** Where the host is not `ready`, the guard makes sure that this deployment is never started, whoever else may try. */
export function startRequest(deployment: Deployment, ready: boolean): GuardCall['request'] {
  return [
    ['deployment', deployment.id],
    ['toplevel', deployment.toplevel],
    ['owner', deployment.owner],
    ['epoch', deployment.token.epoch],
    ['counter', deployment.token.counter],
    ['mode', deployment.mode],
    ['action', deployment.action],
    ['activation', Math.round(deployment.timeouts.activationMs)],
    ['confirm', Math.round(deployment.timeouts.confirmMs)],
    ...(deployment.reboot === undefined
      ? []
      : [['window', Math.round(deployment.reboot.deadlineMs)] as const]),
    ['units', deployment.unitFailures],
    ...(ready ? [] : [['unready', 1] as const]),
  ];
}

function parseAnswer(line: string): GuardAnswer | undefined {
  const space = line.indexOf(' ');
  const kind = space < 0 ? line : line.slice(0, space);
  const rest = space < 0 ? '' : line.slice(space + 1);
  switch (kind) {
    case 'now':
      return { kind: 'now', uptime: Number(rest) };
    case 'previous':
      return { kind: 'previous', path: rest };
    case 'journal':
      return { kind: 'journal', line: rest };
    case 'log':
      return { kind: 'log', line: rest };
    case 'healthy':
      return { kind: 'healthy' };
    case 'known':
    case 'draining':
      return { kind };
    case 'unhealthy':
      return { kind: 'unhealthy', text: rest };
    case 'refused':
      return { kind: 'refused', failure: refusal(rest) };
    default:
      return undefined;
  }
}

function refusal(text: string): Failure {
  const [word = '', ...pairs] = text.split(' ');
  const details = Object.fromEntries(
    pairs.map((pair): [string, string] => {
      const at = pair.indexOf('=');
      return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  const code: ErrorCode = errorCodes.find((known) => known === word) ?? 'INTERNAL';
  switch (code) {
    case 'TOKEN_REFUSED':
      return {
        code,
        disposition: 'transient',
        message: 'the host has accepted a newer token already',
        details: { highest: `${details['epoch'] ?? '0'} ${details['counter'] ?? '0'}` },
      };
    case 'OWNED_BY':
      return {
        code,
        disposition: 'stalled',
        message: 'the host belongs to another Varve',
        hint: 'if that one is gone: varve adopt --takeover',
        details,
      };
    case 'UNMANAGED':
      return {
        code,
        disposition: 'stalled',
        message: 'the host has no owner',
        hint: 'varve adopt makes it yours',
      };
    case 'HOST_BUSY':
      return {
        code,
        disposition: 'transient',
        message: 'another deployment is under way on the host',
        details,
      };
    case 'NOT_NIXOS':
      return {
        code,
        disposition: 'stalled',
        message: 'the host does not run NixOS',
        hint: 'install NixOS first',
      };
    case 'NO_PREVIOUS_SYSTEM':
      return {
        code,
        disposition: 'stalled',
        message: 'the host has no running system to go back to',
        hint: 'repair it by hand once: nixos-rebuild switch on the host, or a reboot',
      };
    case 'ACTIVATION_REFUSED':
      return {
        code,
        disposition: 'stalled',
        message: `the toplevel is no NixOS system: it has no ${details['missing'] ?? '?'}`,
        hint: 'the attribute has to lead to a NixOS configuration: config.system.build.toplevel',
        details,
      };
    case 'PUSH_FAILED':
      return {
        code,
        disposition: 'transient',
        message: 'the toplevel or the guard is not on the host',
        details,
      };
    case 'DISK_FULL':
      return {
        code,
        disposition: 'stalled',
        message: 'the guard cannot write its record on the host',
        hint: 'make room on the file system of /nix',
      };
    default:
      return { code, disposition: 'transient', message: `the guard refused: ${text.slice(0, 200)}`, details };
  }
}

/** The guard takes texts of up to 2,000 bytes. */
const longestBytes = 1_500;

/** The guard reads lines; a value that is none would be another key. What is too long ends with its last whole character. */
export function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex -- exactly these are meant
  const line = text.replaceAll(/[\u0000-\u001f\u007f]+/g, ' ');
  return new TextDecoder().decode(Buffer.from(line).subarray(0, longestBytes), { stream: true });
}
