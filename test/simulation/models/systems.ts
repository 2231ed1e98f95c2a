import { createHash } from 'node:crypto';
import {
  parseDrvPath,
  parseRevision,
  parseStorePath,
  parseTree,
  type DrvPath,
  type HostName,
  type Revision,
  type StorePath,
  type Tree,
} from '../../../shared/domain/names.ts';

/** What becomes of a host that activates a system. */
export const qualities = [
  'good',
  /** Its build fails, always. */
  'build-fails',
  /** `switch-to-configuration` says no before it changes anything. */
  'refused',
  /** The switch ends half-way: the host rolls back at once. */
  'breaks',
  /** A unit of it fails, which the switch reports. */
  'fails-unit',
  /** The switch does not end by itself. */
  'hangs',
  /** Nobody reaches the host while it runs. */
  'cuts-network',
  /** No new connection gets through while it runs; one that is open stays open. */
  'locks-out',
  /** A health check fails. */
  'unhealthy',
  /** It runs, but the boot loader cannot be written. */
  'boot-loader-fails',
  /** It can only be booted, not switched to from a system that is not like this; nor away from it. */
  'needs-reboot',
  /** It is well when it is switched to, and stands still when it is booted on a host for the first time. */
  'hangs-at-boot',
  /** Like `breaks`, and the way back fails as well. */
  'sticks',
] as const;

export type Quality = (typeof qualities)[number];

/** Nobody who was not there before gets through to a host that runs it. */
export function cutsOff(quality: Quality): boolean {
  return quality === 'cuts-network' || quality === 'locks-out';
}

/** A whole system of one host, as the simulation sees it. */
export interface System {
  readonly host: HostName;
  readonly toplevel: StorePath;
  readonly drvPath: DrvPath;
  readonly quality: Quality;
  readonly kernel: number;
  /** Where its sshd listens. */
  readonly port: number;
}

/** What a tree says about one host: equal contents make equal systems. */
export interface Content {
  readonly variant: number;
  readonly quality: Quality;
  readonly port: number;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The store's alphabet has no `e`. */
function storeHash(text: string): string {
  return digest(text).slice(0, 32).replaceAll('e', 'z');
}

export function treeOf(text: string): Tree {
  return parseTree(digest(`tree ${text}`).slice(0, 40));
}

export function revisionOf(text: string): Revision {
  return parseRevision(digest(`revision ${text}`).slice(0, 40));
}

/** All systems that exist in one run, by toplevel. */
export interface Systems {
  of(host: HostName, content: Content): System;
  find(toplevel: StorePath): System;
}

export function createSystems(): Systems {
  const known = new Map<StorePath, System>();
  return {
    of(host, content) {
      const text = `${host} ${content.variant} ${content.quality} ${content.port}`;
      const name = `${host}-v${content.variant}-${content.quality}`;
      const toplevel = parseStorePath(`/nix/store/${storeHash(text)}-${name}`);
      const found = known.get(toplevel);
      if (found !== undefined) return found;
      const system: System = {
        host,
        toplevel,
        drvPath: parseDrvPath(`/nix/store/${storeHash(`drv ${text}`)}-${name}.drv`),
        quality: content.quality,
        kernel: content.variant % 2,
        port: content.port,
      };
      known.set(toplevel, system);
      return system;
    },
    find(toplevel) {
      const found = known.get(toplevel);
      if (found === undefined) throw new Error(`no such system: ${toplevel}`);
      return found;
    },
  };
}
