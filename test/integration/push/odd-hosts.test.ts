import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../../support/eventually.ts';
import { expectWhole } from '../../support/host-store.ts';
import { addPaths, madeUpPath } from '../../support/private-store.ts';
import { createPushRig, failureOf, pushed, ways, type PushRig } from '../../support/push-rig.ts';
import { replaceProgram } from '../../support/replaced-program.ts';
import { file } from '../../support/store-tree.ts';

let rig: PushRig;
const large = madeUpPath('large', 'odd-hosts');

beforeAll(async () => {
  rig = await createPushRig();
  await addPaths(rig.workshop, [
    { path: large, tree: file(Buffer.alloc(12_000_000, 'large')), references: [] },
  ]);
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

describe('a host whose daemon talks nonsense without an end', () => {
  const nonsense = 'echo the reason >&2; exec cat /dev/zero';
  // What is sent comes to a daemon through a named pipe.
  const fromSsh =
    'case $(readlink /proc/$$/fd/0) in pipe:* | socket:*) exec /usr/bin/nix-daemon "$@" ;; esac';
  test.each([
    ['when it is asked', nonsense],
    ['when it is sent something', `${fromSsh}; ${nonsense}`],
  ])('%s: that is told soon, with what it gave as its reason', async (_, script) => {
    const host = await rig.host();
    await replaceProgram(host, 'nix-daemon', script);
    const push = rig.pusher(host, { settings: { stallMs: 20_000 } });
    const began = performance.now();
    const failure = await failureOf(pushed(push, host.connection, large));
    expect(failure).toMatchObject({ code: 'PUSH_FAILED', disposition: 'transient' });
    expect(failure.message).toContain('the reason');
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

describe.each(ways)('of archives that are sent %s', (_, nearMs) => {
  test('one that takes the host longer than it may be silent, but not longer than its size is good for, arrives', async () => {
    const host = await rig.host();
    await host.inside('nix-store', '--verify');
    await host.inside('mkfifo', '/run/go');
    // Who holds the lock of a path keeps the daemon from it.
    const holding = host.inside('flock', `${large}.lock`, 'cat', '/run/go');
    const settings = { nearMs, stallMs: 1_000, diskBytesPerSecond: 500_000 };
    const push = rig.pusher(host, { settings });
    const pushing = pushed(push, host.connection, large);
    const began = performance.now();
    const silence = eventually(() => performance.now() - began > 4 * settings.stallMs, {
      what: 'a long silence',
      deadlineMs: 10_000,
    });
    await Promise.race([silence, pushing]);
    await host.inside('sh', '-c', 'echo > /run/go');
    expect(await pushing).toMatchObject({ paths: 1 });
    await holding;
    await expectWhole(host, rig.workshop, large);
  });
});

test('a process that has got the number of one that ended is left alone', async () => {
  const host = await rig.host();
  await replaceProgram(host, 'nix-daemon', 'echo $$ > /run/daemon-$PPID; exec /usr/bin/nix-daemon "$@"');
  // When the shell has seen the end of its daemon, and roots what came: another process is made one with its number.
  await replaceProgram(
    host,
    'nix-store',
    `for number in $(cat /run/daemon-*); do
      kill -0 $number 2> /dev/null && continue
      until [ "$other" = $number ]; do
        echo $((number - 1)) > /proc/sys/kernel/ns_last_pid
        sleep 120 < /dev/null > /dev/null 2>&1 &
        other=$!
        [ $other = $number ] || kill $other
      done
      echo $other > /run/other
    done
    exec /usr/bin/nix-store "$@"`,
  );
  const push = rig.pusher(host, { settings: { nearMs: 0 } });
  await pushed(push, host.connection, large);
  const other = await host.inside('cat', '/run/other');
  expect(await host.inside('ps', '-o', 'args=', '-p', other)).toBe('sleep 120');
});
