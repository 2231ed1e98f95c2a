import { expect, test } from 'vitest';

import { connectionError, pushError } from '../../../../worker/push/push-errors.ts';

const connection = { address: 'web1', port: 22, user: 'root', hostKeys: ['ssh-ed25519 AAAA'] };

test('what OpenSSH says about a connection becomes a code', () => {
  for (const [text, code, disposition] of [
    ['Host key verification failed.', 'HOST_KEY_MISMATCH', 'stalled'],
    ['@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @', 'HOST_KEY_MISMATCH', 'stalled'],
    ['root@web1: Permission denied (publickey).', 'HOST_AUTH_FAILED', 'stalled'],
    ['ssh: connect to host web1 port 22: Connection refused', 'HOST_UNREACHABLE', 'transient'],
    ['ssh: Could not resolve hostname web1: Name or service not known', 'HOST_UNREACHABLE', 'transient'],
    ['Timeout, server web1 not responding.', 'HOST_UNREACHABLE', 'transient'],
  ] as const) {
    expect(connectionError(text, connection)).toMatchObject({ code, disposition });
  }
  expect(connectionError("error: path '/nix/store/x' is not valid", connection)).toBeUndefined();
});

test('a host without pinned keys that is not known asks for its key', () => {
  const text =
    'No ED25519 host key is known for web1 and you have requested strict checking.\nHost key verification failed.';
  expect(connectionError(text, { ...connection, hostKeys: [] })).toMatchObject({
    code: 'HOST_KEY_UNKNOWN',
    disposition: 'stalled',
  });
});

test('what Nix says about a push becomes a code, with a hint', () => {
  const unsigned = pushError(
    "error: cannot add path '/nix/store/x' because it lacks a valid signature",
    connection,
    5,
  );
  expect(unsigned).toMatchObject({ code: 'PUSH_FAILED', disposition: 'stalled' });
  expect(unsigned.hint).toContain('trusted-public-keys');
  expect(pushError('error: writing to file: No space left on device', connection, 5)).toMatchObject({
    code: 'DISK_FULL',
    disposition: 'transient',
    details: { freeBytes: '5' },
  });
  expect(pushError('sh: nix-daemon: not found', connection, 5)).toMatchObject({
    code: 'PUSH_FAILED',
    disposition: 'stalled',
  });
  expect(pushError('something else', connection, 5)).toMatchObject({
    code: 'PUSH_FAILED',
    disposition: 'transient',
  });
});
