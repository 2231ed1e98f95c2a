import { expect, test } from 'vitest';

import { FleetError } from '../../../../shared/domain/errors.ts';
import { parseDeploymentId, parseHostName } from '../../../../shared/domain/names.ts';
import { encodeNumber, encodeTexts } from '../../../../worker/nix/protocol/wire.ts';
import { ask } from '../../../../worker/push/ask.ts';
import type { Run } from '../../../../worker/push/run.ts';
import { createWatch } from '../../../../worker/push/watch.ts';
import { words } from './daemon-words.ts';
import { fakeChannel } from './fake-channel.ts';
import { infoOf, pathOf } from './path-infos.ts';

const closure = Array.from({ length: 5_000 }, (_, n) => infoOf(n + 1));
const kept = Buffer.concat([words.done, encodeNumber(1)]);

function run(): Pick<Run, 'request' | 'closure' | 'watch'> {
  return {
    closure,
    request: {
      host: parseHostName('web1'),
      deployment: parseDeploymentId('d000001'),
      connection: { address: 'web1', port: 22, user: 'root', hostKeys: [] },
      paths: new Map([['toplevel', pathOf(1)]]),
      deadlineMs: 60_000,
    },
    watch: createWatch(new AbortController().signal, {
      deadlineMs: 60_000,
      stallMs: 60_000,
      diskBytesPerSecond: 1,
    }),
  };
}

async function asked(channel: Parameters<typeof ask>[1]) {
  const under = run();
  try {
    return await ask(under, channel);
  } finally {
    under.watch.end();
  }
}

/** Lets go of who waits. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

test('a daemon that hears no more before what it says is read is heard', async () => {
  const heard = gate();
  async function* answer(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('ready\n');
    yield words.greeting;
    for (const _ of closure) yield kept;
    heard.open();
    yield Buffer.concat([words.done, encodeTexts([pathOf(2)])]);
  }
  const answered = await asked(fakeChannel(answer(), { write: () => heard.opened }));
  expect(answered).toMatchObject({ kind: 'lacks', valid: new Set([pathOf(2)]) });
});

test('a host that has it all does not hear the rest of the question, and that is no failure', async () => {
  const said = gate();
  async function* answer(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('rooted\n');
    said.open();
  }
  const gone = new FleetError({ code: 'HOST_UNREACHABLE', disposition: 'transient', message: 'it ended' });
  const write = async (): Promise<void> => {
    await said.opened;
    throw gone;
  };
  expect(await asked(fakeChannel(answer(), { write }))).toEqual({ kind: 'rooted' });
});

test('a long question is said in pieces, each of which is a sign of life', async () => {
  const sizes: number[] = [];
  const heard = gate();
  async function* answer(): AsyncGenerator<Uint8Array> {
    await heard.opened;
    yield Buffer.from('rooted\n');
  }
  const write = async (bytes: Uint8Array): Promise<void> => {
    sizes.push(bytes.length);
    if (sizes.length === 3) heard.open();
  };
  await asked(fakeChannel(answer(), { write }));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(256 * 1024);
});

test('a host that is lost while it is asked is unreachable', async () => {
  async function* answer(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('ready\n');
  }
  const channel = fakeChannel(answer(), { ended: Promise.resolve({ kind: 'lost' }) });
  await expect(asked(channel)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
});
