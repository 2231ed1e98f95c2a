import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestFile, parseManifest } from '../../shared/contracts/manifest.ts';
import { connectionText, type Fleet, type HostSpec } from '../../shared/domain/fleet.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { renderTable } from '../table.ts';
import { type Terminal, harmless } from '../terminal.ts';
import { counted } from '../words.ts';
import { policyText } from './fleet-text.ts';

/** `varve validate [path]`: is the varve.yaml in a folder (or at a path) right? Asks nobody. */
export async function runValidate(
  deps: { readonly terminal: Terminal; readonly output: 'text' | 'json' },
  path: string,
): Promise<ExitCode> {
  const { terminal, output } = deps;
  const text = await readManifestAt(path);
  if (text === undefined) {
    if (output === 'json')
      terminal.line(JSON.stringify({ valid: true, manifest: false, hosts: [] }, undefined, 2));
    else {
      terminal.line(
        `there is no ${manifestFile}: every attribute of nixosConfigurations is a host at its own name`,
      );
      terminal.line(
        `${terminal.paint('cyan', terminal.signs.arrow)} host keys then come from the service's known_hosts`,
      );
    }
    return exitCodes.ok;
  }
  const result = parseManifest(text);
  if (result.kind === 'invalid') {
    if (output === 'json')
      terminal.line(JSON.stringify({ valid: false, failure: result.failure }, undefined, 2));
    else {
      // `file:line:column: what` alone on a line: editors jump there.
      for (const line of result.failure.message.split('\n')) terminal.line(harmless(line));
      if (result.failure.hint !== undefined) {
        terminal.aside(`${terminal.paint('cyan', terminal.signs.arrow)} ${result.failure.hint}`);
      }
    }
    return exitCodes.failed;
  }
  const hosts = hostsOf(result.fleet);
  const { flake, rollout, groups, freezes } = result.fleet;
  if (output === 'json') {
    terminal.line(
      JSON.stringify({ valid: true, manifest: true, flake, rollout, groups, freezes, hosts }, undefined, 2),
    );
    return exitCodes.ok;
  }
  terminal.line(
    `${terminal.paint('green', terminal.signs.good)} ${counted(hosts.length, 'host')} from ${flake.attribute} of the flake in ${flake.folder}`,
  );
  const rows = hosts.map(({ name, connection, mode, checks }) => [
    terminal.paint('bold', name),
    connectionText(connection),
    mode,
    connection.hostKeys.length === 0
      ? terminal.paint('yellow', 'known_hosts')
      : String(connection.hostKeys.length),
    checks.map((check) => check.kind).join(', ') || '-',
  ]);
  const columns = ['HOST', 'ADDRESS', 'MODE', 'KEYS', 'CHECKS'].map((title) => ({ title }));
  for (const line of renderTable(columns, rows, terminal)) terminal.line(line);
  for (const line of policyText(result.fleet, hosts, terminal)) terminal.line(line);
  return exitCodes.ok;
}

function hostsOf(fleet: Fleet): readonly HostSpec[] {
  return fleet.hosts.kind === 'listed' ? fleet.hosts.list : [];
}

async function readManifestAt(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    throw new FleetError({
      code: 'INVALID_INPUT',
      disposition: 'stalled',
      message: `there is nothing at ${path}`,
      hint: `give the folder of a config repository, or a ${manifestFile}`,
    });
  }
  if (!found.isDirectory()) return readFile(path, 'utf8');
  return readFile(join(path, manifestFile), 'utf8').catch((thrown: unknown) => {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined;
    throw thrown;
  });
}
