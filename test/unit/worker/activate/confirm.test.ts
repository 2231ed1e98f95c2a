import { describe, expect, it } from 'vitest';

import { FleetError } from '../../../../shared/domain/errors.ts';
import { createRun } from '../../../../shared/platform/exec.ts';
import { noFaults } from '../../../../shared/platform/ports/faults.ts';
import { createSystemClock } from '../../../../shared/platform/system-clock.ts';
import { confirm } from '../../../../worker/activate/confirm.ts';
import { createRecordView } from '../../../../worker/activate/record-view.ts';
import { createWitness } from '../../../../worker/activate/witness.ts';
import { createChecks } from '../../../../worker/checks/checks.ts';
import type { Session } from '../../../../worker/ssh/session.ts';
import type { Ssh } from '../../../../worker/ssh/ssh.ts';
import { aDeployment, connection } from '../../../support/builders.ts';

const then = { ...connection, address: '192.0.2.1' };
const newest = { ...connection, address: '192.0.2.2' };

/** Which ways were tried until a host that answers at `reachable` only was confirmed. */
async function waysTo(reachable: string): Promise<readonly string[]> {
  const clock = createSystemClock();
  const record = createRecordView({
    now: () => clock.now(),
    onSwitched() {},
    onRollingBack() {},
    onEnd() {},
    log() {},
  });
  const session: Session = {
    connection: newest,
    isOpen: () => true,
    async exec(_command, { onLine }) {
      onLine?.('journal 250 end kind=succeeded');
      return { code: 0, signal: undefined, stdout: '', stderr: '' };
    },
    start: () => Promise.reject(new Error('nothing here is talked to')),
    roundTripMs: () => Infinity,
    close() {},
  };
  const tried: string[] = [];
  const fresh: Ssh['fresh'] = async ({ address }) => {
    tried.push(address);
    if (address === reachable) return session;
    throw new FleetError({ code: 'HOST_UNREACHABLE', disposition: 'transient', message: 'no route' });
  };
  const ssh: Ssh = {
    fresh,
    pooled: fresh,
    firstReachable: async () => session,
    ownKeys: async () => new Set(),
    close() {},
  };
  const checks = createChecks({ clock, run: createRun(), commands: new Map() });
  const deployment = aDeployment({
    next: then,
    nextFallback: newest,
    checks: [],
    unitFailures: 'ignore',
  });
  const context = { signal: AbortSignal.timeout(5_000), log() {} };
  await confirm({ ssh, checks, clock, faultPoint: noFaults }, deployment, record, createWitness(), context);
  expect(record.end(true)).toMatchObject({ kind: 'succeeded' });
  return tried;
}

describe('a host that goes back', () => {
  it('is confirmed where it answered then', async () => {
    expect(await waysTo(then.address)).toEqual([then.address]);
  });

  it('is confirmed where the newest revision looks for it, if only its address has changed', async () => {
    expect(await waysTo(newest.address)).toEqual([then.address, newest.address]);
  });
});
