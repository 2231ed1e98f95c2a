import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { startFleet, type Fleet, type Systems } from '../support/fleet.ts';
import { readFacts } from '../support/read-facts.ts';

const failing = ['own', 'shared1', 'shared2'];
const hosts = [...failing, 'fine'];

function system(text: string, more = ''): string {
  return `{ packages, roles, ... }: {
  imports = [ (roles.web { greeter = "1.0"; }) (roles.motd "${text}") ];
  ${more}
}
`;
}

/** One story on one fleet: each test goes on where the one before it ended. */
describe('what cannot be built, or not evaluated', () => {
  let fleet: Fleet;
  let before: ReadonlyMap<string, Systems>;
  let packages: string;
  /** A line for every time that the package that fails was tried to be built. */
  let tries: string;
  beforeAll(async () => {
    fleet = await startFleet({ hosts });
    tries = join(fleet.dir, 'tries');
    await writeFile(tries, '');
    packages = await fleet.repo.read('packages/default.nix');
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 180_000 });
    before = await systemsOfAll();
  });
  afterAll(() => fleet.close());

  async function systemsOfAll(): Promise<ReadonlyMap<string, Systems>> {
    return new Map(
      await Promise.all(
        hosts.map(async (name): Promise<[string, Systems]> => [name, await fleet.systems(name)]),
      ),
    );
  }

  const withPackage = (name: string, script: string): string =>
    packages.replace(
      /^\{\n {2}greeter = /m,
      `{
  ${name} = mkPackage {
    name = "${name}";
    script = ''
      ${script}
    '';
  };
  greeter = `,
    );
  const triesSoFar = async (): Promise<number> => (await readFile(tries, 'utf8')).split('\n').length - 1;
  const builds = (calls: readonly string[]): readonly string[] =>
    calls.filter((call) => /^nix(-store)? .*(build|--realise)/.test(call));

  /** Every host that cannot be built is stalled over it. */
  const stalled = (revision: string, names: readonly string[]): Promise<unknown> =>
    fleet.varve.settle(
      revision,
      ({ verdict, failure }) => verdict === 'stalled' && failure?.code === 'BUILD_FAILED',
      { hosts: names },
    );

  let broken: string;
  it('deploys to the others when the builds of some hosts fail, and builds what two of them share once', async () => {
    broken = await fleet.commit('Break builds', {
      'packages/default.nix': withPackage(
        'unbuildable',
        `echo tried >> ${tries}; echo 'there is no such header'; exit 1`,
      ),
      'hosts/own.nix': system('own', 'faults.build = true;'),
      'hosts/shared1.nix': system('shared1', 'packages = [ packages.unbuildable ];'),
      'hosts/shared2.nix': system('shared2', 'packages = [ packages.unbuildable ];'),
      'hosts/fine.nix': system('fine'),
    });
    await fleet.varve.settle(broken, undefined, { hosts: ['fine'] });
    await stalled(broken, failing);
    const { stdout } = await fleet.host('fine').exec(['cat', '/etc/motd']);
    expect(stdout.trim()).toBe('fine');
    expect(await triesSoFar()).toBe(1);
  });

  it('names the derivation that failed, and keeps the end of its log', async () => {
    const facts = await readFacts(fleet.varve.dataDir);
    const expected = [
      ['own', 'nixos-system-own', 'this system cannot be built, on purpose'],
      ['shared1', 'unbuildable', 'there is no such header'],
      ['shared2', 'unbuildable', 'there is no such header'],
    ] as const;
    for (const [name, derivation, line] of expected) {
      const outcomes = facts.outcomes(name, broken);
      expect(outcomes).toHaveLength(1);
      expect(outcomes[0]).toMatchObject({
        phase: 'failed',
        failure: {
          code: 'BUILD_FAILED',
          message: expect.stringContaining(derivation),
          details: {
            derivation: expect.stringMatching(
              new RegExp(`^/nix/store/[a-z0-9]{32}-${derivation}[^/]*\\.drv$`),
            ),
            log: expect.stringContaining(line),
          },
        },
      });
      expect(facts.intents(name, broken)).toEqual([]);
      expect(await fleet.systems(name)).toEqual(before.get(name));
      expect((await fleet.varve.host(name)).reason).toContain(derivation);
    }
  });

  it('builds none of it again for a commit that is about something else', async () => {
    await fleet.nixCalls();
    const revision = await fleet.commit('Explain more', { 'README.md': '# Explained\n' });
    await fleet.varve.settle(revision, undefined, { hosts: ['fine'] });
    await stalled(revision, failing);
    expect(builds(await fleet.nixCalls())).toEqual([]);
    const facts = await readFacts(fleet.varve.dataDir);
    for (const name of failing) expect(facts.outcomes(name, revision)).toEqual([]);
  });

  it('builds a derivation that failed not again for another system that needs it', async () => {
    const revision = await fleet.commit('Another text on shared1', {
      'hosts/shared1.nix': system('another text', 'packages = [ packages.unbuildable ];'),
    });
    await stalled(revision, failing);
    const outcomes = (await readFacts(fleet.varve.dataDir)).outcomes('shared1', revision);
    expect(outcomes).toMatchObject([
      { failure: { code: 'BUILD_FAILED', details: { derivation: expect.stringContaining('unbuildable') } } },
    ]);
    expect(await triesSoFar()).toBe(1);
  });

  it('builds it again when a person asks for that', async () => {
    const revision = await fleet.repo.head();
    const { status } = await fleet.varve.post('/api/v1/retry', { host: 'shared1' });
    expect(status).toBe(200);
    await eventually(async () => (await triesSoFar()) === 2, { what: 'another try', deadlineMs: 60_000 });
    await stalled(revision, ['shared1']);
  });

  it('brings every host to the commit that mends the builds', async () => {
    const revision = await fleet.commit('Mend the builds', {
      'packages/default.nix': withPackage('unbuildable', 'mkdir -p "$out/bin"'),
      'hosts/own.nix': system('mended'),
    });
    await fleet.varve.settle(revision);
    for (const name of failing) {
      const { desired } = await fleet.varve.host(name);
      expect(await fleet.systems(name)).toMatchObject({
        current: desired,
        profile: desired,
        bootDefault: desired,
      });
    }
  });

  it('touches no host when the evaluation fails, and names file and line', async () => {
    before = await systemsOfAll();
    const good = await fleet.repo.read('hosts/shared2.nix');
    await fleet.nixCalls();
    const revision = await fleet.commit('Break the evaluation', {
      'hosts/shared2.nix': good.replace(
        'imports =',
        '\n  etc."x".text = throw "this is not finished";\n  imports =',
      ),
      'hosts/fine.nix': system('never to be seen'),
    });
    const status = await fleet.varve.settle(revision, ({ verdict }) => verdict === 'stalled');
    expect(status.release).toMatchObject({
      state: 'failed',
      failure: { code: 'EVALUATION_FAILED', details: { file: 'hosts/shared2.nix', line: '3' } },
    });
    for (const { reason } of status.hosts) {
      expect(reason).toContain('hosts/shared2.nix:3: this is not finished');
    }
    // It is remembered, and not tried again, whoever restarts.
    expect((await fleet.nixCalls()).some((call) => /^nix .*\beval\b/.test(call))).toBe(true);
    await fleet.varve.controller.kill();
    await fleet.varve.controller.start();
    await fleet.varve.settle(revision, ({ verdict }) => verdict === 'stalled');
    expect(await fleet.nixCalls()).toEqual([]);
    const facts = await readFacts(fleet.varve.dataDir);
    for (const name of hosts) {
      expect(facts.intents(name, revision)).toEqual([]);
      expect(facts.outcomes(name, revision)).toEqual([]);
      expect((await fleet.varve.history(name))[0]?.result).toBe('evaluation-failed');
    }
    expect(await systemsOfAll()).toEqual(before);

    const reverted = await fleet.revert(revision);
    await fleet.varve.settle(reverted);
    expect(await systemsOfAll()).toEqual(before);
  });

  it('holds up no host for the build of another one', async () => {
    const gate = join(fleet.dir, 'gate');
    const revision = await fleet.commit('A build that takes its time', {
      'packages/default.nix': withPackage(
        'unbuildable',
        `until [ -e ${gate} ]; do sleep 0.1; done; mkdir -p "$out/bin"`,
      ),
      'hosts/own.nix': system('quick'),
      'hosts/fine.nix': system('quick'),
    });
    await fleet.varve.settle(revision, undefined, { hosts: ['own', 'fine'], deadlineMs: 60_000 });
    for (const name of ['shared1', 'shared2']) {
      expect((await fleet.varve.host(name)).deployment?.phase).toBe('delivering');
    }
    await writeFile(gate, '');
    await fleet.varve.settle(revision);
  });
});
