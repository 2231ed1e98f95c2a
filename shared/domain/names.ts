import { FleetError } from './errors.ts';

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** A host's name, safe to use as an argument, a file name and a key. */
export type HostName = Branded<string, 'HostName'>;
/** A commit SHA of the tracked ref: 40 lower-case hex digits. */
export type Revision = Branded<string, 'Revision'>;
/** A Git tree: 40 lower-case hex digits. */
export type Tree = Branded<string, 'Tree'>;
/** A path directly under /nix/store. */
export type StorePath = Branded<string, 'StorePath'>;
/** A store path that ends in `.drv`. */
export type DrvPath = Branded<string, 'DrvPath'>;
/** One attempt to bring one host to one generation. */
export type DeploymentId = Branded<string, 'DeploymentId'>;

const hostName = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const sha = /^[0-9a-f]{40}$/;
const storePath = /^\/nix\/store\/[0-9a-df-np-sv-z]{32}-[0-9a-zA-Z+\-._?=]{1,211}$/;
const deploymentId = /^d[0-9a-z]{6,40}$/;

function refuse(what: string, text: string, rule: string): never {
  throw new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: `${JSON.stringify(text.slice(0, 80))} is not ${what}`,
    hint: rule,
  });
}

/** @throws FleetError INVALID_INPUT */
export function parseHostName(text: string): HostName {
  if (!hostName.test(text)) {
    refuse(
      'a host name',
      text,
      'use 1 to 63 lower-case letters, digits and inner hyphens, starting and ending with a letter or digit',
    );
  }
  return text as HostName;
}

export function isHostName(text: string): text is HostName {
  return hostName.test(text);
}

/** @throws FleetError INVALID_INPUT */
export function parseRevision(text: string): Revision {
  if (!sha.test(text)) refuse('a revision', text, 'give the whole commit SHA, 40 hex digits');
  return text as Revision;
}

/** @throws FleetError INVALID_INPUT */
export function parseTree(text: string): Tree {
  if (!sha.test(text)) refuse('a tree', text, 'a tree is 40 lower-case hex digits');
  return text as Tree;
}

/** @throws FleetError INVALID_INPUT */
export function parseStorePath(text: string): StorePath {
  if (!storePath.test(text)) refuse('a store path', text, 'a store path is /nix/store/<hash>-<name>');
  return text as StorePath;
}

export function isStorePath(text: string): text is StorePath {
  return storePath.test(text);
}

/** @throws FleetError INVALID_INPUT */
export function parseDrvPath(text: string): DrvPath {
  if (!storePath.test(text) || !text.endsWith('.drv')) {
    refuse('a derivation', text, 'a derivation is /nix/store/<hash>-<name>.drv');
  }
  return text as DrvPath;
}

export function isDrvPath(text: string): text is DrvPath {
  return storePath.test(text) && text.endsWith('.drv');
}

/** @throws FleetError INVALID_INPUT */
export function parseDeploymentId(text: string): DeploymentId {
  if (!deploymentId.test(text)) {
    refuse('a deployment id', text, 'see `varve history` for the ids of deployments');
  }
  return text as DeploymentId;
}
