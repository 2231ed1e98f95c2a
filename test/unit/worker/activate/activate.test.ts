import { describe, expect, it } from 'vitest';

import type { Deployment } from '../../../../shared/domain/deployment.ts';
import { noFaults } from '../../../../shared/platform/ports/faults.ts';
import { createRun } from '../../../../shared/platform/exec.ts';
import { createSystemClock } from '../../../../shared/platform/system-clock.ts';
import { createActivate } from '../../../../worker/activate/activate.ts';
import { createChecks } from '../../../../worker/checks/checks.ts';
import type { Session } from '../../../../worker/ssh/session.ts';
import type { Ssh } from '../../../../worker/ssh/ssh.ts';
import { aCheck, aDeployment } from '../../../support/builders.ts';

/** Every host answers every command with these lines. */
function answering(...lines: readonly string[]): Ssh {
  return withGuard(() => lines);
}

/** A host whose guard answers a verb and its request with lines. */
function withGuard(answer: (verb: string, request: readonly string[]) => readonly string[]): Ssh {
  const deployment = aDeployment();
  const session: Session = {
    connection: deployment.next,
    isOpen: () => true,
    async exec(_command, { stdin = '', onLine }) {
      const [verb = '', , ...request] = String(stdin).split('\n');
      for (const line of answer(verb, request)) onLine?.(line);
      return { code: 0, signal: undefined, stdout: '', stderr: '' };
    },
    start: () => Promise.reject(new Error('nothing here is talked to')),
    roundTripMs: () => Infinity,
    close() {},
  };
  return {
    pooled: async () => session,
    fresh: async () => session,
    firstReachable: async () => session,
    ownKeys: async () => new Set(),
    close() {},
  };
}

async function activated(ssh: Ssh, change: Partial<Deployment> = {}) {
  const clock = createSystemClock();
  const checks = createChecks({ clock, run: createRun(), commands: new Map() });
  const activate = createActivate({
    ssh,
    checks,
    clock,
    faultPoint: noFaults,
    runNamedCommand: async () => undefined,
  });
  const signal = new AbortController().signal;
  return activate(aDeployment(change), { signal, log() {}, progress() {} }, async () => {});
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

  const unready = [aCheck({ kind: 'worker', name: 'nobody-knows-it' }, { before: true })];

  it('has the guard refuse for good what a check before it says no to', async () => {
    const asked: string[] = [];
    const ssh = withGuard((verb, request) => {
      asked.push(request.includes('unready=1') ? `${verb} unready` : verb);
      return verb === 'follow' ? ['refused NOT_FOUND deployment=d000001'] : ['refused NOT_READY'];
    });
    expect(await activated(ssh, { checks: unready })).toMatchObject({
      kind: 'refused',
      failure: {
        code: 'NOT_READY',
        disposition: 'transient',
        message: expect.stringContaining('no worker command is named nobody-knows-it'),
      },
    });
    expect(asked).toEqual(['follow', 'start unready']);
  });

  it('asks no check before what has begun already', async () => {
    const asked: string[] = [];
    const ssh = withGuard((verb) => {
      asked.push(verb);
      return ['now 100', 'journal 90 started', 'journal 95 end kind=succeeded'];
    });
    expect(await activated(ssh, { checks: unready })).toMatchObject({ end: { kind: 'succeeded' } });
    expect(asked).toEqual(['follow']);
  });
});
