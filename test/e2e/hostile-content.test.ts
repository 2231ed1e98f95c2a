import { rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../shared/domain/errors.ts';
import { activationsOn, countingActivations } from '../support/evidence.ts';
import { startFleet, type Fleet, type Systems } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';

interface Case {
  /** Brings it into the working copy; what is returned is committed besides. */
  readonly make: (fleet: Fleet) => Promise<Readonly<Record<string, string | null>>>;
  readonly code: ErrorCode;
  /** What the message says, so that whoever reads it finds the place. */
  readonly says: RegExp;
  /** What the hint tells people to do, where it is not what it is for every mistake in `varve.yaml`. */
  readonly advises?: RegExp;
}

/** In a manifest the message says what is wrong and where, so the hint is the same for all of it. */
const manifestAdvice = /correct varve\.yaml and commit it; `varve validate`/;

/** A change of `varve.yaml`. */
function manifest(change: (text: string) => string): Case['make'] {
  return async (fleet) => {
    const before = await fleet.repo.read('varve.yaml');
    const after = change(before);
    expect(after).not.toBe(before);
    return { 'varve.yaml': after };
  };
}

const files =
  (edits: Readonly<Record<string, string | null>>): Case['make'] =>
  async () =>
    edits;

const cases: Readonly<Record<string, Case>> = {
  'a host that is called like an option': {
    make: manifest((text) => text.replace('  web1:', '  --option:')),
    code: 'MANIFEST_INVALID',
    says: /varve\.yaml:3.*--option/s,
  },
  'a host whose name leads to another folder': {
    make: manifest((text) => text.replace('  web1:', '  ../web1:')),
    code: 'MANIFEST_INVALID',
    says: /\.\.\/web1/,
  },
  'a host with a line end in its name': {
    make: manifest((text) => text.replace('  web1:', '  "web1\\nweb2":')),
    code: 'MANIFEST_INVALID',
    says: /web1\\nweb2/,
  },
  'an address that is an option of ssh': {
    make: manifest((text) => text.replace(/address: [^,]*/, 'address: "-oProxyCommand=touch /tmp/owned"')),
    code: 'MANIFEST_INVALID',
    says: /varve\.yaml:3.*address/s,
  },
  'a user that is an option of ssh': {
    make: manifest((text) => text.replace('user: root', 'user: "-oProxyCommand=true"')),
    code: 'MANIFEST_INVALID',
    says: /user/,
  },
  'a host key with a second line': {
    make: manifest((text) => text.replace(/(hostKeys: \["[^"]*)"/, '$1\\n* ssh-ed25519 AAAA"')),
    code: 'MANIFEST_INVALID',
    says: /host key/,
  },
  'a flake folder outside of the repository': {
    make: manifest((text) => `${text}flake: { folder: ../../elsewhere }\n`),
    code: 'MANIFEST_INVALID',
    says: /no `\.\.`/,
  },
  'a key that nobody knows': {
    make: manifest((text) => `${text}hostz: {}\n`),
    code: 'MANIFEST_INVALID',
    says: /hostz/,
  },
  'a configuration that is called like an option, where every configuration is a host': {
    make: files({ 'varve.yaml': null, 'hosts/--option.nix': '{ ... }: { }\n' }),
    code: 'EVALUATION_FAILED',
    says: /--option/,
    advises: /list the hosts in varve\.yaml/,
  },
  'a file with a line end in its name': {
    make: files({ 'roles/a\nb.nix': '{ }\n' }),
    code: 'UNSUPPORTED_CONTENT',
    says: /a.*b\.nix.* unsafe path/,
    advises: /rename/,
  },
  'a link out of the tree': {
    make: async ({ repo }) => {
      await symlink('../../../etc/passwd', join(repo.workDir, 'keys/passwd.pub'));
      return {};
    },
    code: 'UNSUPPORTED_CONTENT',
    says: /keys\/passwd\.pub/,
    advises: /link inside the repository/,
  },
  'an absolute link': {
    make: async ({ repo }) => {
      await symlink('/etc/shadow', join(repo.workDir, 'keys/shadow.pub'));
      return {};
    },
    code: 'UNSUPPORTED_CONTENT',
    says: /keys\/shadow\.pub/,
    advises: /link inside the repository/,
  },
  'a submodule': {
    make: async ({ repo }) => {
      const inner = join(repo.workDir, 'vendor');
      await repo.git('init', '--quiet', inner);
      await writeFile(join(inner, 'file'), 'inside\n');
      await repo.git('-C', inner, 'add', 'file');
      await repo.git('-C', inner, 'commit', '--quiet', '--message', 'Inside');
      return {};
    },
    code: 'UNSUPPORTED_CONTENT',
    says: /vendor.* is a submodule/,
    advises: /flake input/,
  },
  'an LFS pointer': {
    make: files({
      'keys/large.bin': `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`,
    }),
    code: 'UNSUPPORTED_CONTENT',
    says: /keys\/large\.bin/,
    advises: /commit the file itself/,
  },
  'an input that the lock file does not have': {
    make: async ({ repo }) => {
      const text = await repo.read('flake.nix');
      const input = '  inputs.extra = { url = "git+file:///nowhere/extra"; flake = false; };\n\n  outputs =';
      return { 'flake.nix': text.replace('  outputs =', input).replace('{ self }', '{ self, extra }') };
    },
    code: 'LOCK_FILE_INCOMPLETE',
    says: /extra|lock/,
    advises: /`nix flake lock`.* commit flake\.lock/,
  },
};

describe('a commit with contents that are meant to break things', () => {
  let fleet: Fleet;
  let before: { readonly systems: Systems; readonly activations: number; readonly intents: number };

  beforeAll(async () => {
    fleet = await startFleet({ hosts: ['web1'], edits: await countingActivations() });
    await fleet.varve.settle(fleet.first);
    before = await state();
  });
  afterAll(() => fleet.close());
  afterEach(async () => {
    await fleet.repo.forcePush(fleet.first);
    await rm(join(fleet.repo.workDir, 'vendor'), { recursive: true, force: true });
    await fleet.varve.sync();
    await fleet.varve.settle(fleet.first);
  });

  async function state(): Promise<typeof before> {
    return {
      systems: await fleet.systems('web1'),
      activations: await activationsOn(fleet.host('web1')),
      intents: (await readFacts(fleet.varve.dataDir)).intents('web1').length,
    };
  }

  it.each(Object.keys(cases))('is refused, and its host left as it is: %s', async (name) => {
    const attempt = cases[name];
    if (attempt === undefined) throw new Error(`no case ${name}`);
    const revision = await fleet.commit(name, await attempt.make(fleet));
    const status = await fleet.varve.settle(revision, ({ verdict }) => verdict === 'stalled', {
      deadlineMs: 30_000,
    });
    const { failure } = status.release;
    expect(failure).toMatchObject({ code: attempt.code, disposition: 'stalled' });
    expect(failure?.message).toMatch(attempt.says);
    expect(failure?.hint).toMatch(attempt.advises ?? manifestAdvice);
    expect(status.hosts.map((host) => host.failure?.code)).toEqual([attempt.code]);
    expect(await state()).toEqual(before);
  });
});
