// Which programs are needed for what, and what they are called where. Data and pure functions only.

/**
 * `any`: one of these names on PATH (or, with a slash, at that place) is enough. `why`: for people. The rest: the
 * package that has it, by distribution.
 */
export const programs = {
  git: {
    any: ['git'],
    why: 'reads the config repository and keeps the ledger',
    debian: 'git',
    fedora: 'git',
    arch: 'git',
    nixpkgs: 'git',
    brew: 'git',
  },
  redis: {
    any: ['redis-server', 'valkey-server', 'keydb-server'],
    why: 'holds the queues, embedded',
    debian: 'redis-server',
    fedora: 'valkey',
    arch: 'valkey',
    nixpkgs: 'redis',
    brew: 'redis',
  },
  nix: {
    any: ['nix'],
    why: 'evaluates and builds the systems',
    debian: 'nix-bin',
    fedora: 'nix',
    arch: 'nix',
    nixpkgs: 'nix',
  },
  ssh: {
    any: ['ssh'],
    why: 'lets Git reach repositories over SSH',
    debian: 'openssh-client',
    fedora: 'openssh-clients',
    arch: 'openssh',
    nixpkgs: 'openssh',
  },
  'ssh-keygen': {
    any: ['ssh-keygen'],
    why: 'makes the keys of test hosts; will verify signatures',
    debian: 'openssh-client',
    fedora: 'openssh',
    arch: 'openssh',
    nixpkgs: 'openssh',
  },
  flock: {
    any: ['flock'],
    why: 'locks the data folder',
    debian: 'util-linux',
    fedora: 'util-linux-core',
    arch: 'util-linux',
    nixpkgs: 'util-linux',
    brew: 'flock',
  },
  prlimit: {
    any: ['prlimit'],
    why: 'limits the memory of evaluations',
    debian: 'util-linux',
    fedora: 'util-linux-core',
    arch: 'util-linux',
    nixpkgs: 'util-linux',
  },
  zstd: {
    any: ['zstd'],
    why: 'will compress what is pushed; test hosts have it already',
    debian: 'zstd',
    fedora: 'zstd',
    arch: 'zstd',
    nixpkgs: 'zstd',
    brew: 'zstd',
  },
  sshd: {
    any: ['sshd'],
    why: 'answers for hosts in tests',
    debian: 'openssh-server',
    fedora: 'openssh-server',
    arch: 'openssh',
    nixpkgs: 'openssh',
  },
  'systemd-nspawn': {
    any: ['systemd-nspawn'],
    why: 'boots the test hosts',
    debian: 'systemd-container',
    fedora: 'systemd-container',
    arch: 'systemd',
    nixpkgs: 'systemd',
  },
  debootstrap: {
    any: ['debootstrap'],
    why: 'makes the base of the test hosts',
    debian: 'debootstrap',
    fedora: 'debootstrap',
    arch: 'debootstrap',
    nixpkgs: 'debootstrap',
  },
  busybox: {
    any: ['/bin/busybox'],
    why: 'is the one program in the example systems, statically linked',
    debian: 'busybox-static',
    fedora: 'busybox',
    arch: 'busybox',
    nixpkgs: 'pkgsStatic.busybox',
  },
  ip: {
    any: ['ip'],
    why: 'gives the test hosts a network of their own',
    debian: 'iproute2',
    fedora: 'iproute',
    arch: 'iproute2',
    nixpkgs: 'iproute2',
  },
  setpriv: {
    any: ['setpriv'],
    why: 'lets no child outlive its parent',
    debian: 'util-linux',
    fedora: 'util-linux',
    arch: 'util-linux',
    nixpkgs: 'util-linux',
  },
  strace: {
    any: ['strace'],
    why: 'counts the processes in tests',
    debian: 'strace',
    fedora: 'strace',
    arch: 'strace',
    nixpkgs: 'strace',
  },
};

const toRun = ['git', 'redis', 'nix', 'ssh', 'ssh-keygen', 'flock', 'zstd'];
const toBootHosts = ['systemd-nspawn', 'debootstrap', 'busybox', 'ip', 'setpriv'];
const toTest = ['sshd', 'strace'];

function has(args, option) {
  return args.some((arg) => arg === option || arg.startsWith(`${option}=`));
}

/**
 * Does it boot test hosts, which takes root? `start` on a repository of one's own does not. `said`: the environment,
 * which can name the repository as well.
 */
export function bootsHosts(command, args, said = {}) {
  const own = ['--repo', '--config', '--help', '-h'].some((option) => has(args, option));
  return command !== 'start' || !(own || said.VARVE_REPOSITORY_URL || said.VARVE_CONFIG);
}

/**
 * The names of the programs that a command needs. `machine`: its platform, the environment, and the text of the
 * service's configuration file, if one is named. That text is not parsed (the packages for it are not there yet): where
 * it misleads, `varve up` says what is missing.
 */
export function neededFor(command, args, machine = {}) {
  const { platform = 'linux', said = {}, config = '' } = machine;
  const run = platform === 'linux' ? [...toRun, 'prlimit'] : toRun;
  switch (command) {
    case 'start': {
      const theirs =
        has(args, '--redis') || said.VARVE_REDIS_URL || said.VARVE_REDIS_SOCKET || /^redis:/m.test(config);
      const needed = theirs ? run.filter((name) => name !== 'redis') : run;
      return bootsHosts(command, args, said) ? [...needed, ...toBootHosts] : needed;
    }
    case 'demo':
    case 'bench':
      return [...run, ...toBootHosts];
    default:
      return [...run, ...toBootHosts, ...toTest];
  }
}

/** The file that `--config` names, or the environment. */
export function configFile(args, said) {
  const at = args.indexOf('--config');
  const joined = args.find((arg) => arg.startsWith('--config='));
  return joined?.slice('--config='.length) ?? (at === -1 ? said.VARVE_CONFIG : args[at + 1]);
}

/** Of these programs, the ones of which no name is there. */
export function missingOf(names, isThere) {
  return names.filter((name) => !programs[name].any.some(isThere));
}

/** The packages that have them, each once, in a stable order; `undefined` where one of them has none there. */
export function packagesFor(missing, distribution) {
  const packages = missing.map((name) => programs[name][distribution]);
  return packages.includes(undefined) ? undefined : [...new Set(packages)].toSorted();
}

/** Which of the families that we know a machine belongs to, by its platform and its /etc/os-release. */
export function distributionOf(platform, osRelease) {
  if (platform === 'darwin') return 'macos';
  if (platform !== 'linux') return 'other';
  const field = (name) => new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(osRelease)?.[1] ?? '';
  const ids = [field('ID'), ...field('ID_LIKE').split(' ')];
  if (ids.includes('nixos')) return 'nixos';
  if (ids.includes('debian') || ids.includes('ubuntu')) return 'debian';
  if (ids.includes('fedora') || ids.includes('rhel')) return 'fedora';
  if (ids.includes('arch')) return 'arch';
  return 'other';
}

/** What a person types to get them, one line for each way that fits the machine. */
export function waysToGet(missing, distribution) {
  const nix = `nix shell ${missing.map((name) => `nixpkgs#${programs[name].nixpkgs}`).join(' ')}`;
  const listed = (family) => packagesFor(missing, family)?.join(' ');
  const ways = {
    debian: ['Debian, Ubuntu', `sudo apt-get install --no-install-recommends ${listed('debian')}`],
    nixos: ['NixOS', nix],
    fedora: ['Fedora', `sudo dnf install ${listed('fedora')}`],
    arch: ['Arch', `sudo pacman -S --needed ${listed('arch')}`],
    macos: ['macOS', waysOnMacos(missing)],
  };
  const fitting = ways[distribution];
  return (fitting === undefined ? Object.values(ways) : [fitting]).map(
    ([where, what]) => `${where}: ${what}`,
  );
}

function waysOnMacos(missing) {
  const brew = packagesFor(
    missing.filter((name) => programs[name].brew !== undefined),
    'brew',
  );
  const parts = brew === undefined || brew.length === 0 ? [] : [`brew install ${brew.join(' ')}`];
  if (missing.includes('nix')) parts.push('install Nix with the installer from nixos.org');
  if (missing.some((name) => toBootHosts.includes(name))) {
    parts.push('test hosts need Linux: give a repository of your own with --repo, or use a Linux machine');
  }
  return parts.join('; ');
}
