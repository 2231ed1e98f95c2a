import assert from 'node:assert/strict';

import { ofRoles } from './changes.ts';
import type { Chapter } from './chapter.ts';
import { expectDeployed, expectInSync, expectStalled, expectUntouched, hosts } from './stage.ts';

export const breakBuild: Chapter = {
  title: 'break a build',
  tells: 'one commit changes web1 and makes web2 a system that cannot be built: web1 does not wait for web2',
  async act({ fleet }) {
    const [web1, web2] = await Promise.all([
      fleet.repo.read('hosts/web1.nix'),
      fleet.repo.read('hosts/web2.nix'),
    ]);
    return fleet.commit('A new page, and a mistake', {
      'hosts/web1.nix': web1.replace('hello, world', 'hello, universe'),
      'hosts/web2.nix': faulty(web2, 'build = true;'),
    });
  },
  async rest({ fleet }, revision) {
    await fleet.varve.settle(revision, ({ verdict }) => verdict === 'stalled', { hosts: ['web2'] });
    await fleet.varve.settle(revision, undefined, { hosts: ['web1', 'batch1'] });
  },
  checks: [
    {
      says: 'web1 has its new page',
      async holds(stage) {
        await expectInSync(stage, 'web1');
        assert.equal(await stage.page('web1'), 'greeter 1.1: hello, universe\n');
      },
    },
    {
      says: 'web2 is stalled: BUILD_FAILED, and it names the derivation',
      async holds(stage) {
        const failure = await expectStalled(stage, 'web2', 'BUILD_FAILED');
        assert.match(JSON.stringify(failure), /\/nix\/store\/[0-9a-z]{32}-[^"]+\.drv/);
      },
    },
    {
      says: 'web2 was not touched, and still serves its page',
      async holds(stage) {
        await expectUntouched(stage, 'web2');
        assert.equal(await stage.page('web2'), 'greeter 1.0: hello from web2\n');
      },
    },
  ],
};

export const breakActivation: Chapter = {
  title: 'break an activation',
  tells: 'the next commit can be built, but takes sshd away from web2: nobody could reach it any more',
  async act({ fleet }) {
    const web2 = await fleet.repo.read('hosts/web2.nix');
    return fleet.commit('Another mistake', {
      'hosts/web2.nix': web2.replace('build = true;', 'sshd = "stopped";'),
    });
  },
  async rest({ fleet }, revision) {
    await fleet.varve.settle(revision, ({ verdict }) => verdict === 'stalled', { hosts: ['web2'] });
    await fleet.varve.settle(revision, undefined, { hosts: ['web1', 'batch1'] });
  },
  checks: [
    {
      says: 'the ledger says what happened: CONFIRM_TIMEOUT, rolled back',
      async holds(stage, revision) {
        const written = await stage.outcomes(revision);
        assert.deepEqual(
          written.map(({ aim, phase, failure, evidence }) => [aim.host, phase, failure?.code, evidence]),
          [['web2', 'rolled-back', 'CONFIRM_TIMEOUT', true]],
        );
      },
    },
    {
      says: 'the host went back by itself: it runs, and would boot, exactly what it did before',
      async holds(stage) {
        await expectUntouched(stage, 'web2');
        assert.equal(await stage.does('web2', 'systemctl is-active --quiet sshd.service'), true);
        assert.equal(await stage.page('web2'), 'greeter 1.0: hello from web2\n');
      },
    },
    {
      says: 'this system is not tried there again: web2 is stalled until a commit or a person',
      holds: async (stage) => void (await expectStalled(stage, 'web2', 'CONFIRM_TIMEOUT')),
    },
  ],
};

export const revert: Chapter = {
  title: 'revert',
  tells: 'git revert of the last three commits, one push: back to a tree that was deployed before',
  async act({ fleet }) {
    const newest = (await fleet.repo.git('rev-list', '--max-count=3', 'HEAD')).trim().split('\n');
    let made = '';
    for (const revision of newest) made = await fleet.repo.revert(revision);
    await fleet.repo.push();
    await fleet.varve.sync();
    return made;
  },
  rest: async ({ fleet }, revision) => void (await fleet.varve.settle(revision)),
  checks: [
    {
      says: 'web1 and batch1 went back; web2 runs what is wanted already, and was left alone',
      async holds(stage, revision) {
        await expectDeployed(stage, revision, ['web1', 'batch1']);
        await expectUntouched(stage, 'web2');
        for (const host of hosts) await expectInSync(stage, host);
      },
    },
    {
      says: 'nothing was evaluated, built or copied: no program of Nix was started',
      async holds(stage, revision) {
        assert.deepEqual(stage.nixCalls, []);
        for (const { aim, delivery } of await stage.outcomes(revision)) {
          const { builds, pushedPaths, pushedBytes } = delivery ?? {};
          assert.deepEqual([builds, pushedPaths, pushedBytes], [0, 0, 0], aim.host);
        }
      },
    },
    {
      says: 'the role is back with its users and its state, the page is the old one',
      async holds({ page, does, shell }) {
        assert.equal(await page('web1'), 'greeter 1.1: hello, world\n');
        for (const line of ofRoles) {
          assert.equal(await does('batch1', line), true, line);
        }
        assert.match(await shell('batch1', 'cat /var/lib/batch/runs'), /batch/);
      },
    },
    {
      says: 'the old systems are new profile generations',
      async holds({ before, systems }) {
        const now = await systems();
        for (const host of ['web1', 'batch1'] as const) {
          const [last, previous] = [
            now[host].profileGenerations.at(-1),
            before[host].profileGenerations.at(-1),
          ];
          assert.equal(last?.path, now[host].current);
          assert.ok((last?.number ?? 0) > (previous?.number ?? 0), host);
        }
      },
    },
  ],
};

/** A host's file with a fault in it. */
function faulty(text: string, fault: string): string {
  return text.replace(/\}\s*$/, `  faults = { ${fault} };\n}\n`);
}
