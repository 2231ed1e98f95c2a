import { expect, test } from 'vitest';

import { pushError } from '../../../../worker/push/push-errors.ts';

const connection = { address: 'web1', port: 22, user: 'root', hostKeys: ['ssh-ed25519 AAAA'] };

test('what Nix says about a push becomes a code, with a hint', () => {
  const unsigned = pushError(
    "error: cannot add path '/nix/store/x' because it lacks a valid signature",
    connection,
    { free: 5 },
  );
  expect(unsigned).toMatchObject({ code: 'PUSH_FAILED', disposition: 'stalled' });
  expect(unsigned.hint).toContain('trusted-public-keys');
  expect(pushError('error: writing to file: No space left on device', connection, { free: 5 })).toMatchObject(
    {
      code: 'DISK_FULL',
      disposition: 'transient',
      details: { freeBytes: '5' },
    },
  );
  expect(pushError('sh: nix-daemon: not found', connection, { free: 5 })).toMatchObject({
    code: 'PUSH_FAILED',
    disposition: 'stalled',
  });
  expect(pushError('something else', connection, { free: 5 })).toMatchObject({
    code: 'PUSH_FAILED',
    disposition: 'transient',
  });
});
