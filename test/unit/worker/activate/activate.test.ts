import { describe, expect, it } from 'vitest';

import { noFaults } from '../../../../shared/platform/ports/faults.ts';
import { createRun } from '../../../../shared/platform/exec.ts';
import { createSystemClock } from '../../../../shared/platform/system-clock.ts';
import { createActivate } from '../../../../worker/activate/activate.ts';
import { createChecks } from '../../../../worker/checks/checks.ts';
import type { Session } from '../../../../worker/ssh/session.ts';
import type { Ssh } from '../../../../worker/ssh/ssh.ts';
import { aDeployment } from '../../../support/builders.ts';

/** Every host answers every command with these lines. */
function answering(...lines: readonly string[]): Ssh {
  const deployment = aDeployment();
  const session: Session = {
    connection: deployment.next,
    isOpen: () => true,
    async exec(_command, { onLine }) {
      for (const line of lines) onLine?.(line);
      return { code: 0, signal: undefined, stdout: '', stderr: '' };
    },
    close() {},
  };
  return {
    pooled: async () => session,
    fresh: async () => session,
    firstReachable: async () => session,
    close() {},
  };
}

async function activated(ssh: Ssh) {
  const clock = createSystemClock();
  const checks = createChecks({ clock, run: createRun(), commands: new Map() });
  const activate = createActivate({ ssh, checks, clock, faultPoint: noFaults });
  const signal = new AbortController().signal;
  return activate(aDeployment(), { signal, log() {}, progress() {} }, async () => {});
}

describe('the activate step', () => {
  it('says that the host refused, when it did', async () => {
    expect(await activated(answering('refused HOST_BUSY deployment=d000002'))).toMatchObject({
      kind: 'refused',
      failure: { code: 'HOST_BUSY' },
    });
  });

  it('does not take a guard that could not look at its records for one that did not start', async () => {
    expect(await activated(answering('refused HOST_BUSY lock=1'))).toMatchObject({
      kind: 'unknown',
      failure: { code: 'HOST_BUSY' },
    });
  });

  it('gives the end back that the host has on record', async () => {
    const ended = ['now 100', 'journal 90 started', 'journal 95 end kind=failed code=LOCK_HELD exit=11'];
    expect(await activated(answering(...ended))).toMatchObject({
      kind: 'ended',
      end: { kind: 'failed', failure: { code: 'LOCK_HELD' } },
    });
  });
});
