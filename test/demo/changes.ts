import assert from 'node:assert/strict';

import type { Chapter } from './chapter.ts';
import { expectDeployed, expectUntouched, hosts } from './stage.ts';

/** What succeeds on batch1 as long as it has its roles. */
export const ofRoles = [
  'systemctl is-active --quiet batch.timer',
  'systemctl cat batch.service',
  'getent passwd batch',
  'getent group batch',
  'getent passwd ada',
  'test -e /etc/ssh/authorized_keys.d/ada',
];

export const deploy: Chapter = {
  title: 'deploy',
  tells: 'three hosts that know nothing of Varve become what the first commit says',
  act: async ({ fleet }) => fleet.first,
  rest: async ({ fleet }, revision) => void (await fleet.varve.settle(revision)),
  checks: [
    {
      says: 'each host runs its system, and would boot it',
      holds: (stage, revision) => expectDeployed(stage, revision, hosts),
    },
    {
      says: 'each has one new profile generation, above the one it had',
      async holds({ fleet, systems }) {
        const now = await systems();
        for (const host of hosts) {
          assert.deepEqual(
            now[host].profileGenerations,
            [
              { number: 1, path: fleet.lab.genesis },
              { number: 2, path: now[host].current },
            ],
            host,
          );
        }
      },
    },
    {
      says: 'the history knows the first deployment and, as generation 0, what ran before',
      async holds({ fleet }) {
        for (const host of hosts) {
          const results = (await fleet.varve.history(host)).map(({ result }) => result);
          assert.deepEqual(results, ['succeeded', 'adopted'], host);
        }
      },
    },
    {
      says: 'the pages answer, the batch job has run, ada may log in',
      async holds({ page, shell, does }) {
        assert.equal(await page('web1'), 'greeter 1.0: hello from web1\n');
        assert.equal(await page('web2'), 'greeter 1.0: hello from web2\n');
        await shell('batch1', 'systemctl start batch.service');
        assert.match(await shell('batch1', 'cat /var/lib/batch/runs'), /greeter 2\.0: batch/);
        for (const line of ofRoles) assert.equal(await does('batch1', line), true, line);
      },
    },
  ],
};

export const changeOneHost: Chapter = {
  title: 'change one host',
  tells: 'a commit gives web1 a newer greeter and another page; the others do not move',
  async act({ fleet }) {
    const text = await fleet.repo.read('hosts/web1.nix');
    return fleet.commit('Greet the world', {
      'hosts/web1.nix': text
        .replace('greeter = "1.0"', 'greeter = "1.1"')
        .replace('hello from web1', 'hello, world'),
    });
  },
  rest: async ({ fleet }, revision) => void (await fleet.varve.settle(revision)),
  checks: [
    {
      says: 'exactly one deployment, on web1',
      holds: (stage, revision) => expectDeployed(stage, revision, ['web1']),
    },
    {
      says: 'its page has the new text, from the new greeter',
      holds: async ({ page }) => assert.equal(await page('web1'), 'greeter 1.1: hello, world\n'),
    },
    {
      says: 'the others are untouched: their generations say unchanged',
      async holds(stage) {
        for (const host of ['web2', 'batch1'] as const) {
          await expectUntouched(stage, host);
          assert.equal((await stage.fleet.varve.history(host))[0]?.result, 'unchanged', host);
        }
      },
    },
  ],
};

const withoutRoles = `{ roles, ... }:
{
  imports = [ (roles.motd "batch1 has time") ];
}
`;

export const removeRoles: Chapter = {
  title: 'remove a role',
  tells:
    'batch1 loses its batch job and the user ada: what they brought goes with them, what they wrote stays',
  act: ({ fleet }) => fleet.commit('Let batch1 rest', { 'hosts/batch1.nix': withoutRoles }),
  rest: async ({ fleet }, revision) => void (await fleet.varve.settle(revision)),
  checks: [
    {
      says: 'exactly one deployment, on batch1',
      holds: (stage, revision) => expectDeployed(stage, revision, ['batch1']),
    },
    {
      says: 'units, users, groups and the key that ada came in with are gone from the host',
      async holds({ does }) {
        for (const line of ofRoles) {
          assert.equal(await does('batch1', line), false, line);
        }
      },
    },
    {
      says: 'its message of the day is the new one',
      holds: async ({ shell }) => assert.equal(await shell('batch1', 'cat /etc/motd'), 'batch1 has time'),
    },
    {
      says: 'what the job wrote in /var/lib is still there',
      holds: async ({ shell }) => assert.match(await shell('batch1', 'cat /var/lib/batch/runs'), /batch/),
    },
  ],
};
