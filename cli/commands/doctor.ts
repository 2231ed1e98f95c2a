import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { Status } from '../../shared/contracts/api.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { type CommandContext, print } from '../context.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import type { RunLocal } from '../local-program.ts';
import { ago, until } from '../words.ts';

/** One thing that was looked at. */
export interface Finding {
  readonly area: 'machine' | 'controller' | 'source' | 'host';
  readonly what: string;
  readonly grade: 'good' | 'note' | 'bad';
  readonly found: string;
  /** What to do about it. */
  readonly advice?: string;
}

interface Program {
  readonly name: string;
  /** Any of them will do. */
  readonly names: readonly string[];
  readonly version: readonly string[];
  readonly why: string;
  /** Without it Varve does not work; otherwise something is missing or slower. */
  readonly needed: boolean;
}

const programs: readonly Program[] = [
  {
    name: 'git',
    names: ['git'],
    version: ['--version'],
    why: 'reads SSH and local repositories, keeps the ledger',
    needed: true,
  },
  {
    name: 'nix',
    names: ['nix'],
    version: ['--version'],
    why: 'evaluates and builds (on workers)',
    needed: true,
  },
  { name: 'ssh', names: ['ssh'], version: ['-V'], why: 'reaches repositories over SSH', needed: true },
  { name: 'ssh-keyscan', names: ['ssh-keyscan'], version: [], why: 'varve host scan-key', needed: false },
  {
    name: 'redis-server',
    names: ['valkey-server', 'redis-server', 'keydb-server'],
    version: ['--version'],
    why: 'the embedded Redis of `varve up`',
    needed: false,
  },
  { name: 'zstd', names: ['zstd'], version: ['--version'], why: 'compresses what is pushed', needed: false },
];

/** `varve doctor`: everything that Varve needs, here, at the controller, and at every host. */
export async function runDoctor(
  context: CommandContext,
  deps: { readonly run: RunLocal },
): Promise<ExitCode> {
  const findings = [
    nodeFinding(process.versions.node),
    ...(await Promise.all(programs.map((program) => programFinding(program, deps.run, context.env)))),
    ...(await controllerFindings(context)),
  ];
  const bad = findings.filter((finding) => finding.grade === 'bad');
  const code = bad.length === 0 ? exitCodes.ok : exitCodes.failed;
  return print(context, { healthy: bad.length === 0, findings }, () => render(findings, context), code);
}

function render(findings: readonly Finding[], { terminal }: CommandContext): readonly string[] {
  const { paint, signs } = terminal;
  const titles: Readonly<Record<Finding['area'], string>> = {
    machine: 'this machine',
    controller: 'controller',
    source: 'repository',
    host: 'hosts',
  };
  const lines: string[] = [];
  const width = Math.max(...findings.map((finding) => finding.what.length));
  let area: Finding['area'] | undefined;
  for (const finding of findings) {
    if (finding.area !== area) {
      if (area !== undefined) lines.push('');
      lines.push(paint('bold', titles[finding.area]));
      area = finding.area;
    }
    const sign =
      finding.grade === 'good'
        ? paint('green', signs.good)
        : finding.grade === 'bad'
          ? paint('red', signs.bad)
          : paint('yellow', signs.waiting);
    lines.push(`  ${sign} ${finding.what.padEnd(width)}  ${finding.found}`);
    if (finding.advice !== undefined)
      lines.push(`    ${' '.repeat(width)}  ${paint('cyan', signs.arrow)} ${finding.advice}`);
  }
  const bad = findings.filter((finding) => finding.grade === 'bad').length;
  const notes = findings.filter((finding) => finding.grade === 'note').length;
  if (bad > 0) lines.push('', paint('red', `${bad} to put right`));
  else if (notes > 0) lines.push('', paint('yellow', `nothing is broken, ${notes} to look at`));
  else lines.push('', paint('green', 'all is well'));
  return lines;
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

async function programFinding(program: Program, run: RunLocal, env: CommandContext['env']): Promise<Finding> {
  const found = await onPath(program.names, env['PATH'] ?? '');
  if (found === undefined) {
    return {
      area: 'machine',
      what: program.name,
      grade: program.needed ? 'bad' : 'note',
      found: `not on PATH; ${program.why}`,
      advice: howToInstall(program.name),
    };
  }
  if (program.version.length === 0) return { area: 'machine', what: program.name, grade: 'good', found };
  try {
    const result = await run([found, ...program.version], 10_000);
    const text = result.stdout.trim() || result.stderr.trim();
    if (result.code === 0)
      return { area: 'machine', what: program.name, grade: 'good', found: firstLine(text) };
    return {
      area: 'machine',
      what: program.name,
      grade: 'bad',
      found: `${found} does not work: ${firstLine(text)}`,
    };
  } catch (thrown) {
    const why = thrown instanceof FleetError ? thrown.message : 'it cannot be started';
    return { area: 'machine', what: program.name, grade: 'bad', found: `${found}: ${why}` };
  }
}

async function onPath(names: readonly string[], path: string): Promise<string | undefined> {
  for (const name of names) {
    for (const folder of path.split(delimiter)) {
      if (folder === '') continue;
      const file = join(folder, name);
      const usable = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (usable) return file;
    }
  }
  return undefined;
}

function howToInstall(name: string): string {
  const debian: Readonly<Record<string, string>> = {
    nix: 'nix-bin',
    ssh: 'openssh-client',
    'ssh-keyscan': 'openssh-client',
  };
  const nixpkgs: Readonly<Record<string, string>> = {
    ssh: 'openssh',
    'ssh-keyscan': 'openssh',
    'redis-server': 'valkey',
  };
  return `Debian: apt install ${debian[name] ?? name}; NixOS: nix shell nixpkgs#${nixpkgs[name] ?? name}`;
}

async function controllerFindings(context: CommandContext): Promise<readonly Finding[]> {
  let status: Status;
  try {
    status = await context.api.get('/status', Status);
  } catch (thrown) {
    const failure = thrown instanceof FleetError ? thrown : undefined;
    return [
      {
        area: 'controller',
        what: context.api.url,
        grade: 'bad',
        found: failure?.message ?? 'it does not answer',
        ...(failure?.hint === undefined ? {} : { advice: failure.hint }),
      },
    ];
  }
  const now = context.now();
  return [
    {
      area: 'controller',
      what: context.api.url,
      grade: status.leader.kind === 'none' ? 'note' : 'good',
      found: `Varve ${status.version}, ${leaderText(status)}`,
    },
    sourceFinding(status, now),
    ...status.hosts.map((host) => hostFinding(host, now)),
  ];
}

function leaderText({ leader }: Status): string {
  switch (leader.kind) {
    case 'self':
      return 'leading';
    case 'other':
      return `standing by for ${leader.address ?? 'the leader'}`;
    case 'none':
      return 'nobody leads right now';
  }
}

function sourceFinding({ source }: Status, now: number): Finding {
  const seen = source.lastSuccessAt === undefined ? 'never seen' : `seen ${ago(source.lastSuccessAt, now)}`;
  if (source.failure !== undefined) {
    const { code, message, hint } = source.failure;
    return {
      area: 'source',
      what: source.repository,
      grade: 'bad',
      found: `${code} ${firstLine(message)} (${seen})`,
      ...(hint === undefined ? {} : { advice: hint }),
    };
  }
  return {
    area: 'source',
    what: source.repository,
    grade: source.state === 'ok' ? 'good' : 'note',
    found: `${source.ref}, ${seen}`,
  };
}

function hostFinding(host: Status['hosts'][number], now: number): Finding {
  const base = { area: 'host' as const, what: host.host };
  const contact =
    host.lastContactAt === undefined ? 'never reached' : `reached ${ago(host.lastContactAt, now)}`;
  if (host.failure !== undefined) {
    const { code, message, hint } = host.failure;
    return {
      ...base,
      grade: host.sync === 'Stalled' || host.health === 'Degraded' ? 'bad' : 'note',
      found: `${code} ${firstLine(message)} (${contact})`,
      advice: hint ?? `varve why ${host.host}`,
    };
  }
  if (host.health === 'Unreachable') {
    const again = host.until === undefined ? '' : `, tried again ${until(host.until, now)}`;
    return {
      ...base,
      grade: 'note',
      found: `unreachable, ${contact}${again}`,
      advice: `is ${host.address} up?`,
    };
  }
  if (host.verdict === 'unmanaged') {
    return {
      ...base,
      grade: 'note',
      found: `has no owner yet (${contact})`,
      advice: `varve adopt ${host.host}`,
    };
  }
  const units = host.failedUnits ?? [];
  if (units.length > 0) {
    return { ...base, grade: 'note', found: `failed units: ${units.join(', ')} (${contact})` };
  }
  return {
    ...base,
    grade: host.lastContactAt === undefined ? 'note' : 'good',
    found: `${contact}, ${host.reason}`,
  };
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
