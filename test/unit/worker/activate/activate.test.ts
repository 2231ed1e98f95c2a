import { describe, expect, it } from 'vitest';

import { FleetError } from '../../../../shared/domain/errors.ts';
import { noFaults } from '../../../../shared/platform/ports/faults.ts';
import { createActivate } from '../../../../worker/activate/activate.ts';
import type { Session } from '../../../../worker/ssh/session.ts';
import type { Ssh } from '../../../../worker/ssh/ssh.ts';
import { aDeployment, connection } from '../../../support/builders.ts';

const begun = ['now 0', 'journal 0 started', 'journal 10 running', 'journal 20 switching'];
// The host switched two seconds after its boot, and was confirmed by nobody for fifteen.
const ended = [
  'journal 200 switched code=0',
  'journal 1700 rolling-back code=CONFIRM_TIMEOUT evidence=0',
  'journal 1900 end kind=rolled-back code=CONFIRM_TIMEOUT evidence=0',
];

/** A host that is cut off by its switch: the first stream dies unnoticed, later tries fail, then it is back. */
function cutOff(times: { readonly noticedAfterMs: number; readonly triesMs: readonly number[] }) {
  let now = 0;
  const lost = (): FleetError =>
    new FleetError({ code: 'HOST_UNREACHABLE', disposition: 'transient', message: 'lost' });
  const session = (lines: readonly string[], end: () => void): Session => ({
    connection,
    isOpen: () => true,
    close: () => {},
    async exec(_, { onLine }) {
      lines.forEach((line) => onLine?.(line));
      end();
      return { code: 0, signal: undefined, stdout: '', stderr: '' };
    },
  });
  let connects = 0;
  const ssh: Ssh = {
    async firstReachable() {
      connects += 1;
      if (connects === 1) {
        return session(begun, () => {
          now += times.noticedAfterMs;
          throw lost();
        });
      }
      const tookMs = times.triesMs[connects - 2];
      if (tookMs !== undefined) {
        now += tookMs;
        throw lost();
      }
      now = Math.max(now, 20_000);
      return session(['now 2000', ...begun.slice(1), ...ended], () => {});
    },
    fresh: async () => {
      throw lost();
    },
    pooled: async () => {
      throw lost();
    },
    close: () => {},
  };
  const clock = {
    now: () => now,
    async sleep(ms: number) {
      now += ms;
    },
  };
  return createActivate({ ssh, clock, faultPoint: noFaults });
}

const deployment = aDeployment({
  timeouts: { buildMs: 1, pushMs: 1, activationMs: 25_000, confirmMs: 15_000, settleMs: 0 },
});
const context = { signal: new AbortController().signal, log: () => {}, progress: () => {} };

describe('a host that its switch cuts off', () => {
  it('is evidence, although the connection was missed only after a while', async () => {
    const activate = cutOff({ noticedAfterMs: 10_000, triesMs: [5_000] });
    expect(await activate(deployment, context, async () => {})).toMatchObject({
      kind: 'ended',
      end: { kind: 'rolled-back', evidence: true, failure: { code: 'CONFIRM_TIMEOUT' } },
    });
  });

  it('is no evidence when nobody tried it for the rest of the time', async () => {
    const activate = cutOff({ noticedAfterMs: 5_000, triesMs: [] });
    expect(await activate(deployment, context, async () => {})).toMatchObject({
      kind: 'ended',
      end: { kind: 'rolled-back', evidence: false, failure: { code: 'UNCONFIRMED' } },
    });
  });
});
