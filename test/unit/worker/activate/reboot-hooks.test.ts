import { describe, expect, it } from 'vitest';

import { FleetError } from '../../../../shared/domain/errors.ts';
import type { Hook } from '../../../../shared/domain/policy.ts';
import type { ActivateOutcome } from '../../../../shared/platform/ports/steps.ts';
import { createSystemClock } from '../../../../shared/platform/system-clock.ts';
import {
  createHooks,
  hasBegunToDrain,
  type RebootHookDeps,
  type RunNamedCommand,
} from '../../../../worker/activate/reboot-hooks.ts';
import type { Ssh } from '../../../../worker/ssh/ssh.ts';
import { aDeployment, connection } from '../../../support/builders.ts';

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
  const deps: RebootHookDeps = { ssh, clock: createSystemClock(), runNamedCommand };
  return { sent, session, deps };
}

const context = { signal: new AbortController().signal, log() {}, progress() {} };
const rebooting = (hooks: { readonly drain?: Hook; readonly undrain?: Hook }) =>
  aDeployment({
    action: 'reboot',
    reboot: { deadlineMs: 60_000, drain: undefined, undrain: undefined, ...hooks },
  });

const ended: ActivateOutcome = { kind: 'ended', end: { kind: 'succeeded' }, previous: undefined };
const refused: ActivateOutcome = {
  kind: 'refused',
  failure: { code: 'NOT_READY', disposition: 'transient', message: 'it is quarantined' },
};

describe('draining', () => {
  const drain = ({ deps, session }: ReturnType<typeof world>, hook: Hook) =>
    createHooks(deps, rebooting({ drain: hook }), context).before(session);

  it('runs a command on the host by its guard, word by word', async () => {
    const there = world('healthy');
    expect(await drain(there, onHost)).toBeUndefined();
    expect(there.sent[0]).toMatch(/^hook\n/);
    expect(there.sent[0]).toContain('action=reboot\ndrains=1\nseconds=3\nargument=drain\nargument=--now\n');
  });

  it('runs a command of the worker once the host said that nothing has begun', async () => {
    const asked: string[] = [];
    const run: RunNamedCommand = async (name, { host }) => {
      asked.push(`${name} ${host}`);
      return undefined;
    };
    expect(await drain(world('healthy', run), named)).toBeUndefined();
    expect(await drain(world('known', run), named)).toBeUndefined();
    expect(asked).toEqual(['drain-it web1']);
  });

  it('says why the host is left alone where it fails, or where nobody knows the command', async () => {
    const notReady = (message: string) => ({
      code: 'NOT_READY',
      disposition: 'transient',
      message: expect.stringContaining(message) as string,
    });
    expect(await drain(world('unhealthy still busy'), onHost)).toMatchObject(notReady('still busy'));
    const nobody = world('healthy', async () => 'no worker command is named drain-it');
    expect(await drain(nobody, named)).toMatchObject(notReady('no worker command is named drain-it'));
  });

  it('decides nothing where its worker is to end over a command', async () => {
    const cancelled = new FleetError({ code: 'CANCELLED', disposition: 'transient', message: 'cancelled' });
    await expect(
      drain(
        world('healthy', () => Promise.reject(cancelled)),
        named,
      ),
    ).rejects.toBe(cancelled);
  });

  it('is done once for an activation, however often that connects', async () => {
    const { deps, session, sent } = world('healthy');
    const hooks = createHooks(deps, rebooting({ drain: onHost }), context);
    await hooks.before(session);
    await hooks.before(session);
    expect(sent).toHaveLength(1);
  });

  it.each([
    ['healthy', false],
    ['draining', true],
    ['known', true],
  ])('of which the host says `%s` has begun: %s', async (answer, expected) => {
    const { session, sent } = world(answer);
    expect(await hasBegunToDrain(session, rebooting({ drain: onHost }), context.signal)).toBe(expected);
    expect(sent[0]).not.toMatch(/drains|argument/);
  });
});

describe('undraining', () => {
  it('asks nothing of a host where the worker does it', async () => {
    const { deps, sent } = world('healthy', async () => undefined);
    expect(await createHooks(deps, rebooting({ undrain: named }), context).after(ended)).toEqual(ended);
    expect(sent).toEqual([]);
  });

  it('tells what failed, with what to do', async () => {
    const { deps } = world('unhealthy it is cordoned');
    expect(await createHooks(deps, rebooting({ undrain: onHost }), context).after(ended)).toMatchObject({
      end: { kind: 'succeeded', flaw: { code: 'NOT_READY', hint: 'give the host its work back by hand' } },
    });
  });

  it('gives back what was taken, or may have been, and nothing to a host that was left alone', async () => {
    const given: string[] = [];
    const run: RunNamedCommand = async (name) => {
      given.push(name);
      return name === 'drain-it' ? 'it is still busy' : undefined;
    };
    const there = world('healthy', run);
    const undrain: Hook = { kind: 'worker-command', name: 'undrain-it', timeoutMs: 1_000 };
    await createHooks(there.deps, rebooting({ drain: named, undrain }), context).after(refused);
    expect(given).toEqual([]);
    const begun = createHooks(there.deps, rebooting({ drain: named, undrain }), context);
    expect(await begun.before(there.session)).toBeDefined();
    expect(await begun.after(refused)).toEqual(refused);
    expect(given).toEqual(['drain-it', 'undrain-it']);
  });

  it('does nothing to a host that has let nothing be done to it', async () => {
    const given: string[] = [];
    const run: RunNamedCommand = async (name) => void given.push(name);
    const anothers = world('refused OWNED_BY owner=another', run);
    const undrain: Hook = { kind: 'worker-command', name: 'undrain-it', timeoutMs: 1_000 };
    const hooks = createHooks(anothers.deps, rebooting({ drain: named, undrain }), context);
    expect(await hooks.before(anothers.session)).toMatchObject({ code: 'OWNED_BY' });
    await hooks.after(refused);
    expect(given).toEqual([]);
  });

  it.each<ActivateOutcome>([
    { kind: 'unknown', failure: { code: 'OUTCOME_UNKNOWN', disposition: 'transient', message: 'who knows' } },
    {
      kind: 'ended',
      end: { kind: 'stuck', failure: { code: 'ROLL_BACK_FAILED', disposition: 'stalled', message: 'stuck' } },
      previous: undefined,
    },
  ])('does nothing after an outcome that is $kind', async (outcome) => {
    const { deps, sent } = world('healthy');
    const hooks = createHooks(deps, rebooting({ undrain: onHost }), context);
    expect(await hooks.after(outcome)).toBe(outcome);
    expect(sent).toEqual([]);
  });
});
