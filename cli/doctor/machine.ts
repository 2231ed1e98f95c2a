import { delimiter, dirname, join } from 'node:path';
import { workerRootsFolder } from '../../shared/contracts/places.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { RunLocal } from '../local-program.ts';
import { type Finding, firstLine, nixIsTooOld, oldestNixText } from './finding.ts';

export interface MachineDeps {
  readonly run: RunLocal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly nodeVersion: string;
  /** Can this user do that with it? `exists` asks nothing more. */
  can(what: 'exists' | 'write' | 'execute', path: string): Promise<boolean>;
  /** Controller and worker run here: what they need is needed. Elsewhere it is only worth a note. */
  readonly runsHere: boolean;
}

interface Program {
  /** Any of them will do. */
  readonly names: readonly [string, ...string[]];
  readonly version: readonly string[];
  readonly why: string;
  /** Without it controller or worker do not work; otherwise something is missing. */
  readonly needed: boolean;
  /** Only there is it used. */
  readonly platform?: NodeJS.Platform;
  readonly debian: string;
  readonly nixpkgs: string;
}

/** Every program that controller, worker and this command run. */
const programs: readonly Program[] = [
  {
    names: ['git'],
    version: ['--version'],
    why: 'reads SSH and local repositories, keeps the ledger',
    needed: true,
    debian: 'git',
    nixpkgs: 'git',
  },
  {
    names: ['flock'],
    version: ['--version'],
    why: "locks the controller's data folder",
    needed: true,
    debian: 'util-linux',
    nixpkgs: 'util-linux',
  },
  {
    names: ['nix'],
    version: ['--version'],
    why: 'evaluates and copies (on workers)',
    needed: true,
    debian: 'nix-bin',
    nixpkgs: 'nix',
  },
  {
    names: ['nix-store'],
    version: ['--version'],
    why: 'builds (on workers)',
    needed: true,
    debian: 'nix-bin',
    nixpkgs: 'nix',
  },
  {
    names: ['nix-daemon'],
    version: ['--version'],
    why: 'answers questions to the store (on workers)',
    needed: true,
    debian: 'nix-bin',
    nixpkgs: 'nix',
  },
  {
    names: ['prlimit'],
    version: ['--version'],
    why: 'limits the memory of evaluations (on workers)',
    needed: true,
    platform: 'linux',
    debian: 'util-linux',
    nixpkgs: 'util-linux',
  },
  {
    names: ['ssh'],
    version: ['-V'],
    why: 'Git over SSH: a repository, a ledger remote, inputs of a flake',
    needed: false,
    debian: 'openssh-client',
    nixpkgs: 'openssh',
  },
  {
    names: ['ssh-keyscan'],
    version: [],
    why: '`varve host scan-key`',
    needed: false,
    debian: 'openssh-client',
    nixpkgs: 'openssh',
  },
  {
    names: ['redis-server', 'valkey-server', 'keydb-server'],
    version: ['--version'],
    why: 'the private Redis of `varve up`',
    needed: false,
    debian: 'redis-server',
    nixpkgs: 'valkey',
  },
  {
    names: ['setpriv'],
    version: ['--version'],
    why: 'ends what `varve up` started, even when it is killed',
    needed: false,
    platform: 'linux',
    debian: 'util-linux',
    nixpkgs: 'util-linux',
  },
];

/** What this machine has of what Varve needs. */
export async function machineFindings(deps: MachineDeps): Promise<readonly Finding[]> {
  const used = programs.filter(({ platform }) => platform === undefined || platform === deps.platform);
  const found = await Promise.all([
    ...used.map((program) => programFinding(program, deps)),
    rootsFinding(deps),
    storeFinding(deps),
  ]);
  return [nodeFinding(deps.nodeVersion), ...found.flatMap((finding) => finding ?? [])];
}

function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const fits = major > 20 || (major === 20 && minor >= 19);
  return {
    area: 'machine',
    what: 'node',
    grade: fits ? 'good' : 'bad',
    found: version,
    ...(fits ? {} : { advice: 'install Node 20.19 or newer' }),
  };
}

async function programFinding(program: Program, deps: MachineDeps): Promise<Finding> {
  const [name] = program.names;
  const base = { area: 'machine' as const, what: name };
  const bad = program.needed && deps.runsHere ? 'bad' : 'note';
  const advice = `Debian: apt install ${program.debian}; NixOS: nix shell nixpkgs#${program.nixpkgs}`;
  const found = await onPath(program.names, deps);
  if (found === undefined) {
    const where = deps.runsHere || !program.needed ? '' : ', needed where controller and workers run';
    return { ...base, grade: bad, found: `not on PATH: ${program.why}${where}`, advice };
  }
  if (program.version.length === 0) return { ...base, grade: 'good', found };
  try {
    const { code, stdout, stderr } = await deps.run([found, ...program.version], 10_000);
    const said = firstLine(stdout.trim() || stderr.trim()).slice(0, 60);
    if (code !== 0) return { ...base, grade: bad, found: `${found} does not work: ${said}`, advice };
    if (name === 'nix' && nixIsTooOld(said)) {
      return {
        ...base,
        grade: bad,
        found: `${said}, too old`,
        advice: `install Nix ${oldestNixText} or newer`,
      };
    }
    return { ...base, grade: 'good', found: said };
  } catch (thrown) {
    const why = thrown instanceof FleetError ? thrown.message : 'it cannot be started';
    return { ...base, grade: bad, found: `${found}: ${why}`, advice };
  }
}

async function onPath(names: readonly string[], deps: MachineDeps): Promise<string | undefined> {
  for (const name of names) {
    for (const folder of (deps.env['PATH'] ?? '').split(delimiter)) {
      if (folder !== '' && (await deps.can('execute', join(folder, name)))) return join(folder, name);
    }
  }
  return undefined;
}

/** Workers root what they evaluate and build, lest it is collected as garbage. */
async function rootsFinding(deps: MachineDeps): Promise<Finding | undefined> {
  if (!deps.runsHere) return undefined;
  let place = workerRootsFolder;
  while (place !== '/' && !(await deps.can('exists', place))) place = dirname(place);
  const base = { area: 'machine' as const, what: 'garbage-collector roots' };
  if (await deps.can('write', place)) {
    return { ...base, grade: 'good', found: `${workerRootsFolder} can be written` };
  }
  return {
    ...base,
    grade: 'bad',
    found: `${place} cannot be written: a worker of this user cannot protect what it builds`,
    advice: `run the worker as root, or give its user the folder: install -d -o <user> ${workerRootsFolder}`,
  };
}

const daemonSocket = '/nix/var/nix/daemon-socket/socket';

/** Who is not root reaches the store through Nix's daemon. */
async function storeFinding(deps: MachineDeps): Promise<Finding | undefined> {
  if (!deps.runsHere) return undefined;
  const base = { area: 'machine' as const, what: 'Nix store' };
  if (await deps.can('write', daemonSocket))
    return { ...base, grade: 'good', found: 'reached by its daemon' };
  let place = '/nix/var/nix/db';
  while (place !== '/' && !(await deps.can('exists', place))) place = dirname(place);
  if (await deps.can('write', place)) return { ...base, grade: 'good', found: 'written directly' };
  return {
    ...base,
    grade: 'bad',
    found: `no daemon answers at ${daemonSocket}, and this user cannot write the store`,
    advice: 'start nix-daemon, or run the worker as root',
  };
}
