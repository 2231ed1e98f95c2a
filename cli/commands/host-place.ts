import { readFile } from 'node:fs/promises';
import { manifestFile, parseManifest } from '../../shared/contracts/manifest.ts';
import { Status } from '../../shared/contracts/api.ts';
import { connectionText } from '../../shared/domain/fleet.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { isHostName } from '../../shared/domain/names.ts';
import type { ApiClient } from '../api-client.ts';

export interface HostPlace {
  readonly address: string;
  readonly port: number;
  /** The way to the jump host that it is behind; `undefined`: it is behind none, or nobody knows. */
  readonly behind: string | undefined;
  /** Who knows it; `undefined`: nobody, the text is taken for an address. */
  readonly knownFrom: string | undefined;
}

/** Where a host of the fleet is: as the controller says, else the varve.yaml of this folder, else at that address. */
export async function placeOf(text: string, deps: { readonly api: ApiClient }): Promise<HostPlace> {
  const unknown = { address: text, port: 22, behind: undefined, knownFrom: undefined };
  if (!isHostName(text)) return unknown;
  return (await fromController(text, deps.api)) ?? (await fromManifest(text)) ?? unknown;
}

async function fromController(name: string, api: ApiClient): Promise<HostPlace | undefined> {
  try {
    const { hosts } = await api.get('/status', Status);
    const [, address, port, behind] =
      /^[^@]+@(.+?):(\d+)(?: through (.+))?$/.exec(hosts.find(({ host }) => host === name)?.address ?? '') ??
      [];
    if (address === undefined || port === undefined) return undefined;
    return { address, port: Number(port), behind, knownFrom: `the controller at ${api.url}` };
  } catch (thrown) {
    // A host can be scanned before there is a controller.
    if (thrown instanceof FleetError) return undefined;
    throw thrown;
  }
}

async function fromManifest(name: string): Promise<HostPlace | undefined> {
  const text = await readFile(manifestFile, 'utf8').catch(() => undefined);
  const parsed = text === undefined ? undefined : parseManifest(text);
  if (parsed?.kind !== 'fleet' || parsed.fleet.hosts.kind !== 'listed') return undefined;
  const connection = parsed.fleet.hosts.list.find((host) => host.name === name)?.connection;
  if (connection === undefined) return undefined;
  const { address, port, via } = connection;
  return { address, port, behind: via && connectionText(via), knownFrom: `./${manifestFile}` };
}
