import { execFileSync } from 'node:child_process';

import { describe, expect, it } from 'vitest';

import { guardFunctions } from '../../support/guard-functions.ts';

/** Runs a script with the guard's functions, where the record is on a file system of its own that has no room left. */
function onFullDisk(shell: string, script: string): string {
  const inside = `set -u
    record=$(mktemp -d); mount -t tmpfs -o size=512k,nr_inodes=64 none "$record"; cd /
    : > "$record/journal"; : > "$record/log"
    ${script}`;
  const filled = inside.replaceAll('FILL', 'head -c 1M /dev/zero > "$record/filler" || :');
  return execFileSync(
    'unshare',
    ['--mount', '--propagation=private', shell, '-c', `${guardFunctions}\n${filled}`],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 60_000,
    },
  );
}

describe.for(['dash', 'bash'])('where the disk is full, in %s, the guard', (shell) => {
  const dies = `sh -c 'echo "what it has to say" || exit 101'`;

  it('lets no program die of what it cannot write into the log', () => {
    expect(onFullDisk(shell, `activation=1000; FILL; bounded ${dies}; echo "ended with $?"`)).toBe(
      'ended with 0\n',
    );
  });

  it('keeps room in the log for what fills the disk itself', () => {
    const script = `activation=1000; find_sink; FILL; ${dies} >> "$sink"; echo "$? $(cat "$record/log")"`;
    expect(onFullDisk(shell, script)).toBe('0 what it has to say\n');
  });

  it('goes back from a reboot that nobody can confirm any more, at its deadline', () => {
    const script = `of_boot='' boot_now=x guard=/nix/store/guard value=$guard confirm=10 window=20 live=/nowhere id=d000001
      until=$(($(date +%s) + 1)) state=/nowhere; FILL
      # No file can be made any more either.
      files=0; while touch "$record/$((files += 1))"; do :; done
      go_back() { echo "back: $*"; }; keep() { echo kept; }
      await_decision`;
    expect(onFullDisk(shell, script)).toBe('back: code=CONFIRM_TIMEOUT evidence=0 reboot=1\n');
  });
});
