import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { type Day, dayWith, importCommands } from '../../controller/ledger/commit.ts';
import { ledgerRef } from '../../controller/ledger/git-ledger.ts';
import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import {
  parseDeploymentId,
  parseDrvPath,
  parseHostName,
  parseRevision,
  parseStorePath,
  parseTree,
  type HostName,
} from '../../shared/domain/names.ts';
import type { Release, ReleasedHost } from '../../shared/domain/observation.ts';

/**
 * The ledger of a fleet that has been deployed to for years, made in seconds: the commits are those that the controller
 * would have written, in one stream for Git.
 */

export const fleetOfYears: readonly HostName[] = Array.from({ length: 20 }, (_, i) =>
  parseHostName(`${['web', 'db', 'cache', 'batch'][i % 4]}${Math.floor(i / 4) + 1}`),
);

const began = Date.UTC(2023, 0, 2, 6);
/** Some hundred commits a day. */
const everyMs = 840_000;
/** Every so many observations one changes every host, one is a revert, one does not evaluate, a host is held. */
const often = { all: 20, revert: 9, broken: 40, held: 12, failing: 15 };

interface Pass {
  readonly at: number;
  readonly facts: readonly Fact[];
}

/** What each pass had to write, for ever: take as many as are wanted. The same for every call. */
export function* passesOfYears(): Generator<Pass> {
  let at = began;
  const next = (): number => (at += everyMs);
  const pass = (...facts: readonly Fact[]): Pass => ({ at, facts });
  yield pass({ kind: 'genesis', at, owner: sha('owner') }, epochOf(at, 1));
  next();
  yield pass(...fleetOfYears.map((host) => adoptionOf(at, host)));
  let runs = releaseOf(0, undefined);
  let before = runs;
  for (let n = 1; ; n += 1) {
    next();
    const reverts = n > 2 && n % often.revert === 0;
    const broken = n % often.broken === 1 && n > 1;
    const release = reverts ? before : releaseOf(n, runs);
    yield pass(observationOf(at, n, release));
    next();
    if (broken) {
      yield pass({ kind: 'evaluation-failed', at, key: release.key, tree: release.tree, failure: ofNix });
      continue;
    }
    if (!reverts) {
      yield pass({ kind: 'release', at, release, durationMs: 4_321.5 });
      next();
    }
    const changed = fleetOfYears.filter(
      (host) => release.hosts.get(host)?.toplevel !== runs.hosts.get(host)?.toplevel,
    );
    const intents = changed.map((host) => intentOf(at, n, host, release));
    if (intents.length > 0) {
      yield pass(...intents);
      next();
      yield pass(...intents.map((intent) => outcomeOf(at, intent, runs)));
    }
    if (n % often.held === 0) {
      const held = { scope: { kind: 'host', host: hostOfTurn(n) }, by: 'ada' } as const;
      next();
      yield pass({ kind: 'hold', at, ...held, reason: `looking into ticket ${n}`, until: at + 3_600_000 });
      next();
      yield pass({ kind: 'hold-lifted', at, ...held });
    }
    [before, runs] = [runs, release];
  }
}

/**
 * Writes so many commits into the ledger of a bare repository that is there already, after those before `from`.
 * Returns how many facts they hold.
 */
export async function writeYears(
  dir: string,
  commits: number,
): Promise<{ readonly facts: number; readonly observations: number }> {
  const written = { facts: 0, observations: 0 };
  function* stream(): Generator<string> {
    yield 'feature done\n';
    let n = 0;
    let day: Day | undefined;
    for (const { at, facts } of passesOfYears()) {
      n += 1;
      written.facts += facts.length;
      written.observations += facts.filter(({ kind }) => kind === 'observation').length;
      day = dayWith(day, at);
      yield importCommands({ ref: ledgerRef, parent: undefined, n, at, ofDay: day.commits - 1, facts });
      if (n === commits) break;
    }
    yield 'done\n';
  }
  const git = spawn('git', ['--git-dir', dir, 'fast-import', '--quiet', '--done'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(git, 'close');
  await pipeline(Readable.from(stream()), git.stdin);
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
  return written;
}

const ofNix: FactOf<'evaluation-failed'>['failure'] = {
  code: 'EVALUATION_FAILED',
  disposition: 'stalled',
  message: "error: attribute 'services.nginx.enabel' is not known, at hosts/web1.nix:12:5",
};

function epochOf(at: number, epoch: number): Fact {
  return { kind: 'epoch', at, epoch, leader: 'controller-a' };
}

function adoptionOf(at: number, host: HostName): Fact {
  const running = systemOf(host, 0).toplevel;
  return { kind: 'adopted', at, host, by: 'ada', takeover: false, running, connection: connectionOf(host) };
}

function observationOf(at: number, n: number, { key, tree }: Release): FactOf<'observation'> {
  return {
    kind: 'observation',
    at,
    key,
    observation: {
      n,
      revision: parseRevision(sha(`revision ${n}`)),
      tree,
      at,
      forced: false,
      author: ['Ada Lovelace', 'Grace Hopper', 'Barbara Liskov'][n % 3] ?? '',
      subject: `services: change number ${n} to what this fleet runs`,
    },
  };
}

/** Most commits change one host. */
function releaseOf(n: number, before: Release | undefined): Release {
  const tree = parseTree(sha(`tree ${n}`));
  const all = before === undefined || n % often.all === 0;
  const hosts = fleetOfYears.map((host): [HostName, ReleasedHost] => {
    const known = before?.hosts.get(host);
    return [host, all || known === undefined || host === hostOfTurn(n) ? systemOf(host, n) : known];
  });
  return { key: `${tree}.${sha('options').slice(0, 16)}`, tree, hosts: new Map(hosts) };
}

function hostOfTurn(n: number): HostName {
  return fleetOfYears[(n * 7) % fleetOfYears.length] ?? parseHostName('web1');
}

function systemOf(host: HostName, n: number): ReleasedHost {
  const name = `nixos-system-${host}-24.05.20240${n % 9}01`;
  return {
    toplevel: parseStorePath(`/nix/store/${digits(`out ${host} ${n}`)}-${name}`),
    drvPath: parseDrvPath(`/nix/store/${digits(`drv ${host} ${n}`)}-${name}.drv`),
  };
}

function intentOf(at: number, n: number, host: HostName, release: Release): FactOf<'intent'> {
  const released = release.hosts.get(host) ?? systemOf(host, n);
  return {
    kind: 'intent',
    at,
    aim: {
      ...released,
      deployment: parseDeploymentId(`d${sha(`deployment ${n} ${host}`).slice(0, 12)}`),
      host,
      observation: n,
      revision: parseRevision(sha(`revision ${n}`)),
      tree: release.tree,
      action: 'activate',
      mode: 'switch',
      token: { epoch: 1, counter: n },
    },
    connection: connectionOf(host),
    reason: 'another system is desired than the host runs',
    createdAt: at - 30_000,
  };
}

function outcomeOf(at: number, { aim, connection, createdAt }: FactOf<'intent'>, runs: Release): Fact {
  const fails = aim.observation % often.failing === 0;
  return {
    kind: 'outcome',
    at,
    aim,
    phase: fails ? 'rolled-back' : 'succeeded',
    connection,
    delivery: { builds: 3, pushedPaths: 11, pushedBytes: 1_234_567, durationMs: 20_123.4 },
    previous: runs.hosts.get(aim.host)?.toplevel,
    failure: fails
      ? {
          code: 'ACTIVATION_FAILED',
          disposition: 'stalled',
          message: 'switch-to-configuration test ended with exit status 4',
        }
      : undefined,
    evidence: fails,
    reason: 'another system is desired than the host runs',
    createdAt,
    timeline: {
      pending: createdAt,
      delivering: createdAt + 100,
      delivered: createdAt + 20_000,
      activating: createdAt + 21_000,
      confirming: at - 5_000,
      [fails ? 'rolled-back' : 'succeeded']: at - 1_000,
    },
  };
}

function connectionOf(host: HostName): FactOf<'intent'>['connection'] {
  return {
    address: `${host}.fleet.example`,
    port: 22,
    user: 'root',
    hostKeys: [`ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA${sha(host)}`],
  };
}

function sha(word: string): string {
  return createHash('sha1').update(word).digest('hex');
}

/** 32 digits of Nix's alphabet. */
function digits(word: string): string {
  const alphabet = '0123456789abcdfghijklmnpqrsvwxyz';
  return Array.from(createHash('sha256').update(word).digest(), (byte) => alphabet[byte % 32]).join('');
}
