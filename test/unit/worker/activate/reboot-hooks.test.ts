import { describe, expect, it } from 'vitest';

import { FleetError } from '../../../../shared/domain/errors.ts';
import type { Hook } from '../../../../shared/domain/policy.ts';
import { createRun } from '../../../../shared/platform/exec.ts';
import { createSystemClock } from '../../../../shared/platform/system-clock.ts';
import { drain, undrain, type RunNamedCommand } from '../../../../worker/activate/reboot-hooks.ts';
import { createChecks } from '../../../../worker/checks/checks.ts';
import type { Ssh } from '../../../../worker/ssh/ssh.ts';
import { aCheck, aDeployment, connection } from '../../../support/builders.ts';

const named: Hook = { kind: 'worker-command', name: 'drain-it', timeoutMs: 1_000 };
const onHost: Hook = { kind: 'command', command: ['drain', '--now'], timeoutMs: 2_500 };

/** A host that answers the guard's verb `hook` with one line; `undefined`: it does not answer at all. */
function world(answer: string | undefined, runNamedCommand: RunNamedCommand = async () => undefined) {
  const sent: string[] = [];
  const session = {
    connection,
    isOpen: () => true,
    async exec(
      _command: string,
      { stdin, onLine }: Parameters<Awaited<ReturnType<Ssh['fresh']>>['exec']>[1],
    ) {
      sent.push(String(stdin));
      onLine?.(answer ?? '');
      return { code: 0, signal: undefined, stdout: '', stderr: '' };
    },
    start: () => Promise.reject(new Error('nothing here is talked to')),
    roundTripMs: () => Infinity,
    close() {},
  };
  const open = async () => {
    if (answer !== undefined) return session;
    throw new FleetError({ code: 'HOST_UNREACHABLE', disposition: 'transient', message: 'no answer' });
  };
  const ssh: Ssh = {
    pooled: open,
    fresh: open,
    firstReachable: open,
    ownKeys: async () => new Set(),
    close() {},
  };
  const clock = createSystemClock();
  const commands = new Map([
    ['says-yes', { argv: ['true'] as const, timeoutMs: 5_000 }],
    ['says-no', { argv: ['sh', '-c', 'echo quarantined; exit 1'] as const, timeoutMs: 5_000 }],
  ]);
  const checks = createChecks({ clock, run: createRun(), commands });
  return { sent, deps: { ssh, checks, clock, runNamedCommand } };
}

const context = { signal: new AbortController().signal, log() {}, progress() {} };
const rebooting = (hooks: { readonly drain?: Hook; readonly undrain?: Hook }) =>
  aDeployment({
    action: 'reboot',
    reboot: { deadlineMs: 60_000, drain: undefined, undrain: undefined, ...hooks },
  });

describe('draining', () => {
  it('runs a command on the host by its guard, word by word', async () => {
    const { deps, sent } = world('healthy');
    expect(await drain(deps, rebooting({ drain: onHost }), context)).toBeUndefined();
    expect(sent[0]).toMatch(/^hook\n/);
    expect(sent[0]).toContain('action=reboot\nseconds=3\nargument=drain\nargument=--now\n');
  });

  it('runs a command of the worker once the host said that nothing has begun', async () => {
    const asked: string[] = [];
    const run: RunNamedCommand = async (name, { host }) => {
      asked.push(`${name} ${host}`);
      return undefined;
    };
    expect(await drain(world('healthy', run).deps, rebooting({ drain: named }), context)).toBeUndefined();
    expect(await drain(world('known', run).deps, rebooting({ drain: named }), context)).toBeUndefined();
    expect(asked).toEqual(['drain-it web1']);
  });

  it('refuses the reboot where it fails, or where nobody knows the command', async () => {
    const refused = (message: string) => ({
      kind: 'refused',
      failure: { code: 'NOT_READY', disposition: 'transient', message: expect.stringContaining(message) },
    });
    const busy = world('unhealthy still busy').deps;
    expect(await drain(busy, rebooting({ drain: onHost }), context)).toMatchObject(refused('still busy'));
    const unknown = world('healthy', async () => 'no worker command is named drain-it').deps;
    expect(await drain(unknown, rebooting({ drain: named }), context)).toMatchObject(
      refused('no worker command is named drain-it'),
    );
  });

  it('does nothing to a host that a check wants left alone, and asks none of one whose reboot has begun', async () => {
    const asks = (name: string) => ({
      ...rebooting({ drain: onHost }),
      checks: [aCheck({ kind: 'worker', name }, { before: true })],
    });
    const quarantined = world('healthy');
    expect(await drain(quarantined.deps, asks('says-no'), context)).toMatchObject({
      kind: 'refused',
      failure: { code: 'NOT_READY', message: expect.stringContaining('quarantined') as string },
    });
    expect(quarantined.sent.join('')).not.toContain('argument=');
    const ready = world('healthy');
    expect(await drain(ready.deps, asks('says-yes'), context)).toBeUndefined();
    expect(ready.sent.at(-1)).toContain('argument=drain');
    expect(await drain(world('known').deps, asks('says-no'), context)).toBeUndefined();
  });

  it('decides nothing where its worker is to end over a command', async () => {
    const cancelled = new FleetError({ code: 'CANCELLED', disposition: 'transient', message: 'cancelled' });
    const { deps } = world('healthy', () => Promise.reject(cancelled));
    expect(await drain(deps, rebooting({ drain: named }), context)).toMatchObject({ kind: 'unknown' });
  });

  it('decides nothing about a host that does not answer: its reboot may be under way', async () => {
    expect(await drain(world(undefined).deps, rebooting({ drain: onHost }), context)).toMatchObject({
      kind: 'unknown',
      failure: { code: 'HOST_UNREACHABLE' },
    });
  });
});

describe('undraining', () => {
  it('asks nothing of a host where the worker does it', async () => {
    const { deps, sent } = world('healthy', async () => undefined);
    expect(await undrain(deps, rebooting({ undrain: named }), context)).toBeUndefined();
    expect(sent).toEqual([]);
  });

  it('tells what failed, with what to do', async () => {
    const { deps } = world('unhealthy it is cordoned');
    expect(await undrain(deps, rebooting({ undrain: onHost }), context)).toMatchObject({
      code: 'NOT_READY',
      hint: 'give the host its work back by hand',
    });
  });
});
