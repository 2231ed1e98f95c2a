import { execute, run } from './command.ts';

/** A lab's network: one bridge, and per host a network namespace whose `host0` hangs on it. Nothing is routed. */
export interface LabNetwork {
  readonly bridge: string;
  /** The machine's own address on the bridge. */
  readonly gateway: string;
}

export interface HostNetwork {
  readonly namespace: string;
  /** The outer end of the host's link. */
  readonly link: string;
  readonly address: string;
}

export function networkOf(lab: number): LabNetwork {
  return { bridge: `vv${lab}`, gateway: `10.213.${lab}.1` };
}

export function hostNetworkOf(lab: number, host: number): HostNetwork {
  return { namespace: `vv${lab}-${host}`, link: `vv${lab}-${host}`, address: `10.213.${lab}.${host}` };
}

/** Makes the bridge; false if there is one of that name or its addresses are in use. */
export async function addBridge(lab: number): Promise<boolean> {
  const { bridge, gateway } = networkOf(lab);
  const routes = await run(['ip', '-4', 'route', 'show', 'root', `10.213.${lab}.0/24`]);
  if (routes.trim() !== '') return false;
  const made = await execute(['ip', 'link', 'add', bridge, 'type', 'bridge']);
  if (made.code !== 0) {
    if (made.stderr.includes('File exists')) return false;
    await run(['ip', 'link', 'add', bridge, 'type', 'bridge']);
  }
  await batch([`address add ${gateway}/24 dev ${bridge}`, `link set ${bridge} up`]);
  return true;
}

export async function addHostNetwork(lab: number, host: number): Promise<HostNetwork> {
  const { bridge } = networkOf(lab);
  const network = hostNetworkOf(lab, host);
  const { namespace, link, address } = network;
  await batch([
    `netns add ${namespace}`,
    `link add ${link} type veth peer name host0 netns ${namespace}`,
    `link set ${link} master ${bridge} up`,
  ]);
  await batch([`address add ${address}/24 dev host0`, 'link set lo up', 'link set host0 up'], namespace);
  return network;
}

export async function setLink(network: HostNetwork, state: 'up' | 'down'): Promise<void> {
  await run(['ip', 'link', 'set', network.link, state]);
}

/** Takes away all that the functions above made for a lab, as far as it is there. */
export async function removeNetworks(lab: number): Promise<void> {
  const { bridge } = networkOf(lab);
  const namespaces = (await run(['ip', 'netns', 'list'])).split('\n').map((line) => line.split(' ')[0] ?? '');
  for (const name of namespaces) {
    if (name.startsWith(`${bridge}-`)) await execute(['ip', 'netns', 'delete', name]);
  }
  // A namespace's end of a link takes the other end with it, but only when the last process has left.
  const links = (await run(['ip', '-brief', 'link', 'show']))
    .split('\n')
    .map((line) => line.split(/[@\s]/)[0] ?? '');
  for (const name of links) {
    if (name.startsWith(`${bridge}-`)) await execute(['ip', 'link', 'delete', name]);
  }
  if (links.includes(bridge)) await execute(['ip', 'link', 'delete', bridge]);
}

async function batch(commands: readonly string[], namespace?: string): Promise<void> {
  const where = namespace === undefined ? [] : ['-netns', namespace];
  await run(['ip', ...where, '-batch', '-'], { input: `${commands.join('\n')}\n` });
}
