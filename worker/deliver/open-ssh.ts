import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import { baseEnvironment, type Run } from '../../shared/platform/exec.ts';
import { remoteCommand } from './host-scripts.ts';
import type { HostExec } from './push.ts';
import { connectionError } from './push-errors.ts';
import { sshAlias, sshFiles, type SshSettings } from './ssh-config.ts';

/** The OpenSSH client, one generated configuration for each connection. */
export interface OpenSsh {
  readonly exec: HostExec;
  /** The path of the connection's configuration file, written and up to date. @throws FleetError INVALID_INPUT */
  configuration(connection: Connection): Promise<string>;
  /** Ends connections that are kept open. */
  close(): Promise<void>;
}

export function createOpenSsh(deps: {
  readonly run: Run;
  /** Private, and short: the sockets in it have names of limited length. */
  readonly folder: string;
  readonly settings: SshSettings;
}): OpenSsh {
  const { run, folder, settings } = deps;
  const written = new Map<string, Promise<string>>();

  const write = async (connection: Connection, name: string): Promise<string> => {
    const paths = { knownHosts: join(folder, `${name}.hosts`), control: join(folder, `${name}.sock`) };
    const files = sshFiles(connection, settings, paths);
    const config = join(folder, `${name}.config`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await replace(paths.knownHosts, files.knownHosts);
    await replace(config, files.config);
    return config;
  };

  const configuration = (connection: Connection): Promise<string> => {
    const name = createHash('sha256').update(JSON.stringify(connection)).digest('hex').slice(0, 16);
    const existing = written.get(name);
    if (existing !== undefined) return existing;
    const config = write(connection, name);
    written.set(name, config);
    config.catch(() => written.delete(name));
    return config;
  };

  return {
    configuration,
    async exec(connection, script, input, options) {
      const config = await configuration(connection);
      const argv = ['ssh', '-F', config, '-T', sshAlias, remoteCommand(script, options.asRoot)] as const;
      const result = await run(argv, {
        env: baseEnvironment(),
        input,
        signal: options.signal,
        deadlineMs: options.deadlineMs,
      }).catch((thrown: unknown) => {
        throw asUnreachable(thrown, connection);
      });
      if (result.code === 255 || result.code === undefined) {
        const text = result.stderrTail;
        throw connectionError(text, connection) ?? unreachable(connection, text.trim(), undefined);
      }
      return {
        code: result.code,
        stdout: result.stdout.toString('utf8'),
        stderr: result.stderrTail,
      };
    },
    async close() {
      if (settings.persistMs === 0) return;
      for (const config of written.values()) {
        const path = await config.catch(() => undefined);
        if (path === undefined) continue;
        await run(['ssh', '-F', path, '-O', 'exit', sshAlias], { deadlineMs: 5_000 }).catch(() => {});
      }
      written.clear();
    },
  };
}

async function replace(file: string, text: string): Promise<void> {
  const present = await readFile(file, 'utf8').catch(() => undefined);
  if (present === text) return;
  await writeFile(`${file}.new-${process.pid}`, text, { mode: 0o600 });
  await rename(`${file}.new-${process.pid}`, file);
}

function asUnreachable(thrown: unknown, connection: Connection): unknown {
  if (!(thrown instanceof FleetError) || thrown.code !== 'TIMED_OUT') return thrown;
  return unreachable(connection, 'it does not answer in time', thrown);
}

function unreachable(connection: Connection, why: string, cause: unknown): FleetError {
  return new FleetError({
    code: 'HOST_UNREACHABLE',
    disposition: 'transient',
    message: `${connection.address}:${connection.port} can not be reached: ${why}`,
    details: { address: `${connection.address}:${connection.port}`, user: connection.user },
    cause,
  });
}
