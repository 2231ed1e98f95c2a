import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it, onTestFinished } from 'vitest';

import { guardFunctions } from '../../../support/guard-functions.ts';

const inGuard = (shell: string, script: string, input = ''): string =>
  execFileSync(shell, ['-c', `${guardFunctions}\n${script}`], { input, encoding: 'utf8' });

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'varve-guard-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe.for(['dash', 'bash'])('in %s, the guard', (shell) => {
  const judge = (check: string, values: readonly string[]): readonly string[] =>
    values.filter(
      (value) =>
        execFileSync(shell, ['-c', `${guardFunctions}\n${check} "$1" && echo yes || echo no`, 'sh', value], {
          encoding: 'utf8',
        }) === 'yes\n',
    );

  it('takes only store paths for store paths', () => {
    const good = [`/nix/store/${'0'.repeat(32)}-a+b_c.d?e=f`];
    expect(
      judge('is_store_path', [
        ...good,
        '',
        '/nix/store/',
        '/nix/store/../etc',
        '/nix/store/a/b',
        '/nix/store/a b',
        '/nix/store/a\nb',
        '/nix/store/$(id)',
        '/nix/store/a;b',
        '/etc/passwd',
      ]),
    ).toEqual(good);
  });

  it('takes only ids for ids, and only numbers for numbers', () => {
    expect(
      judge('is_id', ['d0123ab', '', 'd', 'x123456', 'd../../x', 'd1 2', 'd1\n', `d${'1'.repeat(60)}`]),
    ).toEqual(['d0123ab']);
    expect(judge('is_number', ['0', '15', '', '-1', '007', '1x', '1\n', '9'.repeat(20)])).toEqual([
      '0',
      '15',
    ]);
  });

  it('refuses a request with a key or value that it does not know', () => {
    const ask = (input: string): string => inGuard(shell, 'read_request; echo "ok $id $mode"', input);
    expect(ask('deployment=d000001\nmode=test\n')).toBe('ok d000001 test\n');
    expect(ask('deployment=d000001\nevil=1\n')).toBe('refused INVALID_INPUT key=evil\n');
    expect(ask('mode=$(reboot)\n')).toBe('refused INVALID_INPUT key=mode\n');
    expect(ask('toplevel=/nix/store/../../bin\n')).toBe('refused INVALID_INPUT key=toplevel\n');
    expect(ask('text=a\u0007b\n')).toBe('refused INVALID_INPUT key=text\n');
  });

  it('wakes who waits for a decision that somebody made and did not live to tell', () => {
    const folder = aFolder();
    writeFileSync(join(folder, 'decision'), 'confirmed\n');
    const script = `read_request() { :; }; load() { :; }; follow() { :; }
      id=d000001 record=${folder} live=${folder}; mkfifo "$live/$id.run"; exec 6<> "$live/$id.run"
      acknowledge; echo 'nobody was woken' >&6; read -r said <&6; echo "$said"`;
    expect(inGuard(shell, script)).toBe('.\n');
  });

  it('gives a confirmation that is not carried out a time to end at, however often it looks', () => {
    const folder = aFolder();
    writeFileSync(join(folder, 'decision'), 'confirmed\n');
    writeFileSync(join(folder, 'journal'), '90 switching\n100 switched code=0\n');
    const script = `record=${folder} confirm=1000 activation=2000 action=activate; find_deadline; echo "$deadline $late"`;
    expect(inGuard(shell, script)).toBe('3100 code=UNCONFIRMED evidence=0 died=1\n');
  });

  it('takes a reboot that was given up for over, whoever booted the host before its end was written', () => {
    const record = aFolder();
    writeFileSync(
      join(record, 'journal'),
      '1 started\n2 rebooting\n3 given-up code=REBOOT_FAILED evidence=0\n',
    );
    writeFileSync(join(record, 'decision'), 'rolling-back code=REBOOT_FAILED evidence=0\n');
    const script = `record=${record} toplevel=/nix/store/new previous=/nix/store/old decision=rolling-back
      parent_of() { echo /nix/store/new; }
      make_default() { echo "boots $1"; }; end_reboot() { echo "ended: $*"; }; go_back() { echo "went back"; }
      after_boot`;
    expect(inGuard(shell, script)).toBe(
      'boots /nix/store/new\nended: kind=failed code=REBOOT_FAILED evidence=0\n',
    );
  });

  it('gives a reboot up to its end where whoever did that died over it, and does not hurry', () => {
    const folder = aFolder();
    writeFileSync(
      join(folder, 'journal'),
      '1 started\n2 rebooting\n100 given-up code=REBOOT_FAILED evidence=0\n',
    );
    writeFileSync(join(folder, 'decision'), 'rolling-back code=REBOOT_FAILED evidence=0\n');
    const script = `record=${folder} confirm=10 activation=1000 action=reboot toplevel=/nix/store/new window=100
      find_deadline; echo "$deadline"
      make_default() { echo "boots $1"; }; end_reboot() { echo "ended: $*"; }; before_boot`;
    expect(inGuard(shell, script)).toBe(
      '5600\nboots /nix/store/new\nended: kind=failed code=REBOOT_FAILED evidence=0\n',
    );
  });

  it('says of a drain that it has begun from when it was to begin, to whoever asks about that reboot', () => {
    const folder = aFolder();
    writeFileSync(join(folder, 'owner'), 'varve\n');
    const hook = (id: string, more = ''): string =>
      inGuard(
        shell,
        // The host's own programs are not here.
        `mv() { /bin/mv "$@"; }; sync() { :; }; state=${folder} records=${folder}/records; hook`,
        `deployment=${id}\nowner=varve\naction=reboot\n${more}`,
      );
    expect(hook('d000001')).toBe('healthy\n');
    expect(hook('d000001', 'drains=1\n')).toBe('healthy\n');
    expect(hook('d000001')).toBe('draining\n');
    expect(hook('d000002')).toBe('healthy\n');
  });

  it('calls off what may have been started all the same, and says that it ended only where nobody is at it', () => {
    const folder = aFolder();
    writeFileSync(join(folder, 'journal'), '1 started\n');
    const script = `id=d000001 record=${folder} live=${folder} state=${folder}
      finish() { echo "ended: $*"; }
      call_off; cat "$record/decision"
      (exec 7>> "$state/run.lock"; flock 7; flock() { return 1; }; call_off)`;
    expect(inGuard(shell, script)).toBe(
      'ended: kind=failed code=INTERNAL service=0\nrolling-back code=INTERNAL evidence=0 service=0\n',
    );
  });

  it('finds the entry of GRUB that boots a system, in a submenu too', () => {
    const entry = (name: string): string => `menuentry "NixOS ${name}" --class nixos {
      search --set=drive1 --fs-uuid 0
      linux ($drive1)//kernels/bzImage init=/nix/store/${name}/init quiet
    }`;
    const menu = [
      entry('c'),
      'submenu "NixOS - All" --class submenu {',
      entry('a'),
      entry('b'),
      '}',
      entry('d'),
    ];
    const find = (name: string): string =>
      inGuard(shell, `awk -v init="init=/nix/store/${name}/init" "$find_grub_entry"`, menu.join('\n')).trim();
    expect(['c', 'a', 'b', 'd', 'none', 'c/init'].map(find)).toEqual(['0', '1>0', '1>1', '2', '', '']);
  });

  it('finds the inhibitor whose value differs, and none where a name is new or gone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'varve-inhibitors-'));
    const compare = (before: string, after: string): string => {
      for (const [name, text] of [
        ['old', before],
        ['new', after],
      ] as const) {
        mkdirSync(join(folder, name), { recursive: true });
        writeFileSync(join(folder, name, 'switch-inhibitors'), text);
      }
      const script = `previous=$1/old running=$1/new record=$1; find_inhibitor; echo "<$inhibitor>"`;
      return execFileSync(shell, ['-c', `${guardFunctions}\n${script}`, 'sh', folder], {
        encoding: 'utf8',
      }).trim();
    };
    try {
      expect(compare('{"dbus": "dbus", "init": "a, b"}', '{"dbus":"broker","init":"a, b"}')).toBe('<dbus>');
      expect(compare('{\n  "dbus": "dbus"\n}\n', '{"dbus":"dbus","kernel":"6"}')).toBe('<>');
      expect(compare('{}', '{"dbus":"dbus"}')).toBe('<>');
      expect(compare('{"a":"1","b":"2"}', '{"b":"3"}')).toBe('<b>');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('never activates what runs for a dry activation, even if the one that was to end it has died as well', () => {
    const record = mkdtempSync(join(tmpdir(), 'varve-dry-'));
    writeFileSync(join(record, 'journal'), '1 started\n2 running\n');
    writeFileSync(join(record, 'decision'), 'rolling-back code=ACTIVATION_FAILED evidence=1 timeout=1\n');
    const ends = (mode: string): string =>
      inGuard(
        shell,
        `read -r boot < /proc/sys/kernel/random/boot_id
        record=${record} mode=${mode} action=activate
        stop_activation() { :; }
        roll_back() { echo "rolled back: $*"; }
        finish() { echo "ended: $*"; }
        after_run`,
      ).trim();
    try {
      expect(ends('dry-activate')).toBe('ended: kind=failed code=ACTIVATION_FAILED evidence=1 timeout=1');
      expect(ends('switch')).toBe('rolled back: code=ACTIVATION_FAILED evidence=1 timeout=1');
    } finally {
      rmSync(record, { recursive: true });
    }
  });
});
