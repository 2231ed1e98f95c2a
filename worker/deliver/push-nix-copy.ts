import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import type { StorePath } from '../../shared/domain/names.ts';
import type { StepContext } from '../../shared/platform/ports/steps.ts';
import { failureText } from '../nix/failure-text.ts';
import type { Nix } from '../nix/nix.ts';
import type { NixStore, PathInfo } from '../nix/store.ts';
import { queryScript, rootScript } from './host-scripts.ts';
import type { HostExec, Push } from '../push/push.ts';
import { connectionError, hostDiskFull, pushError } from '../push/push-errors.ts';
import { sshAlias } from './ssh-config.ts';

const answerMs = 60_000;

/**
 * The push that Nix brings along: `nix copy` over its SSH protocol, between one question to the host (what is missing,
 * and is there room) and one order (root it). Nothing is started when nothing is missing.
 */
export function createNixCopyPush(deps: {
  readonly nix: Nix;
  readonly store: NixStore;
  readonly exec: HostExec;
  /** The OpenSSH configuration of a connection. */
  readonly configuration: (connection: Connection) => Promise<string>;
}): Push {
  const { nix, store, exec } = deps;

  const copy = async (
    paths: readonly StorePath[],
    connection: Connection,
    missing: readonly PathInfo[],
    free: number | undefined,
    limits: { readonly deadlineMs: number },
    context: StepContext,
  ): Promise<void> => {
    const config = await deps.configuration(connection);
    let done = 0;
    const result = await nix.run(
      ['nix', 'copy', '--no-check-sigs', '--to', `ssh-ng://${sshAlias}`, ...paths],
      {
        signal: context.signal,
        deadlineMs: limits.deadlineMs,
        // Nix splits it at blanks, so the folder of configurations must not have any.
        environment: { NIX_SSHOPTS: `-F ${config}` },
        onEvent: (event) => {
          if (event.kind !== 'copy-started') return;
          done += 1;
          context.progress({ what: 'copying', done, total: missing.length });
        },
      },
    );
    if (result.code === 0) return;
    const text = `${failureText(result)}\n${plainLines(result.stderrTail)}`;
    throw connectionErrorUnlessFull(text, connection) ?? pushError(text, connection, free);
  };

  return {
    async push(request, context) {
      const { connection, deployment } = request;
      const { signal } = context;
      const until = performance.now() + request.deadlineMs;
      /** A host that does not answer a short question has gone. */
      const limits = (atMost = Infinity): { readonly signal: AbortSignal; readonly deadlineMs: number } => ({
        signal,
        deadlineMs: Math.max(1, Math.min(atMost, until - performance.now())),
      });
      try {
        const paths = [...request.paths.values()];
        const closure = await store.closure(paths, limits());
        const input = closure.map(({ path }) => `${path}\n`).join('');
        const said = await exec(connection, queryScript, input, { ...limits(answerMs), asRoot: false });
        const { missing, free } = readQuery(said, closure, connection);
        const bytes = missing.reduce((sum, { narSize }) => sum + narSize, 0);
        if (missing.length > 0) {
          if (free !== undefined && bytes > free) {
            throw hostDiskFull(`${connection.address}:${connection.port}`, free, bytes);
          }
          context.log(`copying ${missing.length} paths, ${bytes} bytes, to ${connection.address}`);
          context.progress({ what: 'copying', done: 0, total: missing.length });
          await copy(paths, connection, missing, free, limits(), context);
        }
        const roots = [...request.paths].map(([name, path]) => `${name} ${path}\n`).join('');
        const rooted = await exec(connection, rootScript, `${deployment}\n${roots}`, {
          ...limits(),
          asRoot: true,
        });
        if (rooted.code !== 0 || rooted.stdout.trim() !== 'rooted') {
          throw pushError(`${rooted.stdout}${rooted.stderr}`, connection, free);
        }
        return { paths: missing.length, bytes, closure };
      } catch (thrown) {
        throw asPushLimit(thrown, request.deadlineMs);
      }
    },
  };
}

function readQuery(
  said: { readonly code: number | undefined; readonly stdout: string; readonly stderr: string },
  closure: readonly PathInfo[],
  connection: Connection,
): { readonly missing: readonly PathInfo[]; readonly free: number | undefined } {
  const lines = said.stdout.split('\n').filter((line) => line !== '');
  if (said.code !== 0 || lines.at(-1) !== 'checked') {
    throw pushError(`${said.stdout}${said.stderr}`, connection, undefined);
  }
  const room = lines.map((line) => /^free (\d+) (\d+)$/.exec(line)).find((match) => match !== null);
  const invalid = new Set(lines);
  return {
    missing: closure.filter(({ path }) => invalid.has(path)),
    free: room === undefined ? undefined : Number(room[1]) * Number(room[2]),
  };
}

/** A host whose disk is full closes the connection as well. */
function connectionErrorUnlessFull(text: string, connection: Connection): FleetError | undefined {
  return /no space left|disk is full|signature/i.test(text) ? undefined : connectionError(text, connection);
}

function plainLines(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('@nix '))
    .join('\n');
}

function asPushLimit(thrown: unknown, deadlineMs: number): unknown {
  if (!(thrown instanceof FleetError) || thrown.code !== 'TIMED_OUT') return thrown;
  return new FleetError({
    code: 'PUSH_FAILED',
    disposition: 'transient',
    message: `the push took longer than ${deadlineMs / 1_000} s`,
    hint: 'what has arrived stays there; raise timeouts.push in varve.yaml if the line is slow',
    cause: thrown,
  });
}
