/** Program → the Debian package and the nixpkgs attribute that have it. */
const packages: Readonly<Record<string, readonly [debian: string, nixpkgs: string]>> = {
  git: ['git', 'git'],
  ssh: ['openssh-client', 'openssh'],
  sshd: ['openssh-server', 'openssh'],
  'ssh-keygen': ['openssh-client', 'openssh'],
  'ssh-keyscan': ['openssh-client', 'openssh'],
  nix: ['nix-bin', 'nix'],
  'nix-store': ['nix-bin', 'nix'],
  'nix-daemon': ['nix-bin', 'nix'],
  'redis-server': ['redis-server', 'redis'],
  'valkey-server': ['valkey-server', 'valkey'],
  zstd: ['zstd', 'zstd'],
  prlimit: ['util-linux', 'util-linux'],
  flock: ['util-linux', 'util-linux'],
  setpriv: ['util-linux', 'util-linux'],
};

/** What a person does about a program that is not there. */
export function howToGet(program: string): string {
  const known = packages[program];
  if (known === undefined) return `install ${program} and see that it is on PATH`;
  const [debian, nixpkgs] = known;
  return `install it: \`apt-get install ${debian}\`, or \`nix profile install nixpkgs#${nixpkgs}\``;
}
