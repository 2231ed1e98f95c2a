import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Connection } from '../../shared/domain/fleet.ts';
import type { Run } from '../../shared/platform/exec.ts';
import { sshAlias, sshFiles, type SshSettings } from './ssh-config.ts';

/** Configurations for the OpenSSH client that Nix starts: one for each connection. */
export interface OpenSsh {
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
