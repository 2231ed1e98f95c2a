import { describe, expect, test } from 'vitest';

import { parseDrvPath } from '../../../../shared/domain/names.ts';
import { buildError, failedDerivation } from '../../../../worker/deliver/build-errors.ts';

const inner = `/nix/store/${'0'.repeat(32)}-inner-1.2.drv`;
const top = parseDrvPath(`/nix/store/${'1'.repeat(32)}-nixos-system-web1.drv`);

describe('the derivation that failed by itself', () => {
  test('is found in the words of older and newer versions', () => {
    for (const message of [
      `error: builder for '${inner}' failed with exit code 1;\n       last 10 log lines:\n       > no`,
      `error: Cannot build '${inner}'.\n       Reason: builder failed with exit code 2.`,
      `error: hash mismatch in fixed-output derivation '${inner}':`,
      `error: a 'aarch64-linux' with features {} is required to build '${inner}', but I am a 'x86_64-linux'`,
    ]) {
      expect(failedDerivation(message)).toBe(inner);
    }
  });

  test('is not one that was only waiting for it', () => {
    for (const message of [
      `error: 1 dependencies of derivation '${top}' failed to build`,
      `error: Cannot build '${top}'.\n       Reason: 1 dependency failed.`,
      `error: build of '${top}' failed`,
      'error: cannot connect to the daemon',
    ]) {
      expect(failedDerivation(message)).toBeUndefined();
    }
  });
});

describe('a failed build', () => {
  const of = (message: string, log: readonly string[] = [], fixedOutput = false) =>
    buildError({ drvPath: inner, message, log, fixedOutput }, top);

  test('that would fail again is stalled, and shows its log', () => {
    const error = of(`error: builder for '${inner}' failed with exit code 1;`, ['a', 'b']);
    expect(error).toMatchObject({
      code: 'BUILD_FAILED',
      disposition: 'stalled',
      message: 'the build of inner-1.2 failed: failed with exit code 1',
      details: { derivation: inner, toplevelDerivation: top, log: 'a\nb' },
    });
  });

  test('that ran into a limit is transient', () => {
    for (const [message, log, code] of [
      [`error: builder for '${inner}' timed out after 3 seconds`, [], 'BUILD_LIMIT'],
      [`error: builder for '${inner}' failed due to signal 9 (Killed)`, [], 'BUILD_LIMIT'],
      [`error: builder for '${inner}' failed with exit code 1`, ['cp: No space left on device'], 'DISK_FULL'],
      [
        `error: builder for '${inner}' failed with exit code 1`,
        ['curl: (6) Could not resolve host'],
        'BUILD_LIMIT',
      ],
    ] as const) {
      expect(of(message, log, true)).toMatchObject({ code, disposition: 'transient' });
    }
  });

  test('that only talks of the network, or quotes such talk, is no limit', () => {
    const quoting = `error: builder for '${inner}' failed with exit code 1;
       last 2 log lines:
       > FAIL: retries when the server is away (Connection refused)
       > killed by test: timed out after 3 seconds`;
    for (const [message, log] of [
      [`error: builder for '${inner}' failed with exit code 1`, ['curl: (6) Could not resolve host']],
      [quoting, ['FAIL: retries when the server is away (Connection refused)']],
    ] as const) {
      expect(of(message, log)).toMatchObject({ code: 'BUILD_FAILED', disposition: 'stalled' });
    }
  });
});
