import { describe, expect, it } from 'vitest';
import { intentOf, newDeployment } from '../../../../../controller/reconcile/plan/aim.ts';
import type { ProbeReport } from '../../../../../shared/domain/contact.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import { plainHost } from '../../../../../shared/domain/fleet.ts';
import { parseDeploymentId } from '../../../../../shared/domain/names.ts';
import { type Window } from '../../../../../shared/domain/policy.ts';
import {
  aCheck,
  aDeployment,
  aFailure,
  aFleet,
  anOutcome,
  aReport,
  aSpec,
  connection,
  host,
  reached,
  remembering,
  running,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';

import type { Case } from '../../../../support/reboot-cases.ts';
import {
  A,
  B,
  base,
  judge,
  names,
  noon,
  onOldKernel,
  policy,
  reboot,
  setForBoot,
  verdicts,
  window,
} from '../../../../support/reboot-cases.ts';

describe('a host that runs what is wanted, in parts only after a reboot', () => {
  it('is rebooted at once where that is its policy', () => {
    expect(judge({})).toMatchObject({ kind: 'deliver', action: 'reboot', toplevel: B });
    expect(judge({})?.reason).toBe('it is rebooted: only a reboot replaces kernel and initrd');
    expect(judge({ live: [reboot('web1', { phase: 'delivered' })] })).toMatchObject({
      kind: 'activate',
      action: 'reboot',
    });
  });

  it('is in sync and says so where that is left to people', () => {
    expect(judge({ spec: { reboot: policy('never') } })).toMatchObject({
      kind: 'in-sync',
      waitsFor: undefined,
      reason: expect.stringContaining('a reboot is due, and left to people: only a reboot replaces kernel'),
    });
  });

  it('is looked at again when the window opens in which it is rebooted', () => {
    const spec = { reboot: policy('window'), windows: [window('0 2 * * *')] };
    expect(judge({ spec })).toMatchObject({ kind: 'in-sync', until: Date.UTC(2026, 0, 6, 2) });
  });

  it('is left alone where it runs a specialisation of what it was booted with: a reboot would change nothing', () => {
    const specialised = running(B, { booted: B, rebootNeeded: ['kernel'] });
    expect(judge({ report: specialised })).toMatchObject({
      kind: 'in-sync',
      reason: expect.stringContaining('it runs a specialisation, and only a reboot replaces kernel'),
    });
  });

  it('is rebooted in a window that is open, and otherwise in sync', () => {
    const spec = (windows: readonly Window[]) => ({ reboot: policy('window'), windows });
    expect(judge({ spec: spec([window('30 11 * * *')]) })).toMatchObject({
      kind: 'deliver',
      action: 'reboot',
    });
    expect(judge({ spec: spec([window('0 3 * * *')]) })).toMatchObject({ kind: 'in-sync' });
    const none = judge({ spec: spec([]) });
    expect(none).toMatchObject({ kind: 'in-sync', reason: expect.stringContaining('it has no window') });
  });

  it.each(['test', 'dry-activate'] as const)('is never rebooted in mode %s', (mode) => {
    expect(judge({ spec: { mode } })).toMatchObject({ kind: 'in-sync' });
    expect(judge({ spec: { mode } })?.action).toBeUndefined();
  });

  it('is left alone when a newer observation wants something else: the reboot is superseded', () => {
    const old = reboot('web1', { toplevel: A, observation: 1 });
    expect(judge({ live: [old] })).toMatchObject({ kind: 'superseded', deployment: old.id });
  });

  it('has no reboot any more that somebody else made unnecessary', () => {
    expect(judge({ report: running(B), live: [reboot('web1')] })).toMatchObject({ kind: 'superseded' });
  });
});

describe('a host that what is wanted is only set for', () => {
  it('waits for a reboot by people, a window or its turn, and says what differs', () => {
    const report = setForBoot;
    const mode = 'boot' as const;
    expect(judge({ report, spec: { mode, reboot: policy('never') } })).toMatchObject({
      kind: 'wait',
      waitsFor: 'reboot',
      reason: 'it is set for the next boot, and kernel with it; the running system is the one before',
    });
    const windows = [window('0 3 * * *')];
    expect(judge({ report, spec: { mode, windows, reboot: policy('window') } })).toMatchObject({
      kind: 'wait',
      waitsFor: 'window',
      until: Date.UTC(2026, 0, 6, 3),
    });
    expect(judge({ report, spec: { mode } })).toMatchObject({ kind: 'deliver', action: 'reboot' });
  });

  it('is rebooted also after a switch that turned out to need it', () => {
    const waiting = anOutcome(aDeployment({ toplevel: B, observation: 2 }), { phase: 'awaiting-reboot' });
    expect(judge({ report: setForBoot, facts: [waiting] })).toMatchObject({ action: 'reboot' });
  });
});

describe('a reboot that failed', () => {
  const failed = (change: Parameters<typeof anOutcome>[1]) =>
    anOutcome(reboot('web1'), { at: noon - 1_000, previous: A, ...change });
  const failure = aFailure({ code: 'REBOOT_FAILED', message: 'it came back as before' });

  it('for the toplevel’s own sake is not tried again with it', () => {
    const facts = [failed({ phase: 'rolled-back', failure, evidence: true })];
    for (const report of [onOldKernel(), running(A)]) {
      expect(judge({ report, facts })).toMatchObject({ kind: 'stalled', code: 'REBOOT_FAILED' });
    }
  });

  it('in passing is tried again after a while, and twice at most without a confirmation', () => {
    const once = failed({ phase: 'unconfirmed', failure: { ...failure, disposition: 'transient' } });
    expect(judge({ facts: [once], now: noon })).toMatchObject({ action: 'reboot' });
    expect(judge({ facts: [{ ...once, at: noon - 500 }] })).toMatchObject({
      kind: 'wait',
      waitsFor: 'back-off',
      until: noon + 500,
    });
    const { deployment: id } = once.aim;
    const twice = { ...once, aim: { ...once.aim, deployment: parseDeploymentId(`${id}1`) } };
    expect(judge({ facts: [once, twice] })).toMatchObject({ kind: 'stalled' });
  });

  it('is left alone by a check that says no, like an activation: no wave waits for it', () => {
    const unready = failed({
      phase: 'failed',
      failure: aFailure({ code: 'NOT_READY', disposition: 'transient', message: 'it is quarantined' }),
    });
    expect(judge({ facts: [{ ...unready, at: noon - 500 }] })).toMatchObject({
      kind: 'wait',
      waitsFor: 'check',
      until: noon + 500,
      reason: 'left alone: it is quarantined',
    });
  });

  it('is made again only once a probe has found the host ready: one in quarantine for weeks is asked, and no more', () => {
    const unready = failed({
      phase: 'failed',
      failure: aFailure({ code: 'NOT_READY', disposition: 'transient', message: 'it is quarantined' }),
    });
    const given = {
      facts: [{ ...unready, at: noon - 60_000 }],
      spec: { checks: [aCheck({ kind: 'worker', name: 'quarantined' }, { before: true })] },
    };
    expect(judge({ ...given, readiness: { problem: 'still in quarantine' } })).toMatchObject({
      kind: 'wait',
      waitsFor: 'check',
      reason: 'left alone: still in quarantine',
    });
    expect(judge({ ...given, readiness: { problem: undefined } })).toMatchObject({
      kind: 'deliver',
      action: 'reboot',
    });
  });

  it('leaves no drift behind where the host went down before it was ordered: that is tried again', () => {
    const deployed = anOutcome(
      aDeployment({ id: parseDeploymentId('d00deploy'), toplevel: B, observation: 2 }),
    );
    const powerLost = failed({
      phase: 'failed',
      failure: aFailure({ code: 'POWER_LOST', disposition: 'transient', message: 'it was booted meanwhile' }),
    });
    expect(judge({ report: setForBoot, facts: [deployed, powerLost] })).toMatchObject({
      kind: 'deliver',
      action: 'reboot',
      toplevel: B,
    });
  });

  it('leaves no drift behind: after a retry the host is brought to what is wanted again', () => {
    const deployed = anOutcome(
      aDeployment({ id: parseDeploymentId('d00deploy'), toplevel: B, observation: 2 }),
    );
    const rolledBack = failed({ phase: 'rolled-back', failure, evidence: true });
    const retry: Fact = { kind: 'retry', at: noon - 500, host: undefined, by: 'ada', drift: undefined };
    expect(judge({ report: running(A), facts: [deployed, rolledBack, retry] })).toMatchObject({
      kind: 'deliver',
      toplevel: B,
    });
  });
});

describe('several hosts that are to be rebooted', () => {
  const of = (given: Case): Readonly<Record<string, string>> =>
    Object.fromEntries(
      verdicts({ hosts: names, ...given }).map(({ host: name, kind, waitsFor }) => [
        name,
        waitsFor === undefined ? kind : `${kind} ${waitsFor}`,
      ]),
    );

  it('are rebooted as many at once as is allowed, by name; the others wait for their turn', () => {
    expect(of({})).toEqual({ web1: 'deliver', web2: 'wait budget', web3: 'wait budget' });
    expect(of({ atOnce: 2 })).toEqual({ web1: 'deliver', web2: 'deliver', web3: 'wait budget' });
  });

  it('wait for one that is at it, and for one whose reboot was made before', () => {
    const atIt = [reboot('web3', { phase: 'activating' })];
    expect(of({ live: atIt })).toEqual({ web1: 'wait budget', web2: 'wait budget', web3: 'wait activation' });
    // The store has lost it: it goes on all the same.
    const facts = [intentOf(reboot('web3', { phase: 'activating' }), noon)];
    expect(of({ facts })).toMatchObject({ web1: 'wait budget', web2: 'wait budget' });
    // Of a host that is not of the fleet any more nobody waits for the end.
    expect(of({ hosts: ['web1', 'web2'], facts })).toMatchObject({ web1: 'deliver' });
    const made = [reboot('web2', { phase: 'delivered' })];
    expect(of({ live: made })).toEqual({ web1: 'wait budget', web2: 'activate', web3: 'wait budget' });
  });
});

describe('several hosts that go back and are to be rebooted', () => {
  it('are rebooted as many at once as is allowed, also where the newest observation cannot be read', () => {
    const said = { at: noon - 2_000, by: 'ada', reason: 'it is on fire' };
    const facts = names.flatMap((name): readonly Fact[] => {
      const to = { toplevel: toplevel('A', name), drvPath: undefined, observation: 1 };
      const back = { host: host(name), observation: 1, toplevel: to.toplevel, mode: 'boot' } as const;
      const id = parseDeploymentId(`d00${name}9`);
      return [
        { ...said, kind: 'hold', scope: { kind: 'host', host: host(name) }, until: undefined },
        { ...said, kind: 'pin', host: host(name), cause: 'person', to, from: toplevel('B', name) },
        anOutcome(aDeployment({ ...back, id }), { phase: 'awaiting-reboot', at: noon - 1_000 }),
      ];
    });
    const reports = (name: string): ProbeReport => {
      const [was, to] = [toplevel('B', name), toplevel('A', name)];
      return aReport({ current: was, booted: was, profile: to, bootDefault: to, rebootNeeded: ['kernel'] });
    };
    const rebooted = (blocked: boolean) =>
      verdicts({ hosts: names, facts, reports, spec: { mode: 'boot' }, blocked }).map(
        ({ kind, action }) => `${kind} ${action ?? ''}`,
      );
    expect(rebooted(false)).toEqual(['deliver reboot', 'wait reboot', 'wait reboot']);
    expect(rebooted(true)).toEqual(['deliver reboot', 'wait reboot', 'wait reboot']);
  });
});

describe('the deployment that reboots a host', () => {
  it('carries what the policy says of it, and the ways to what the host was booted with', () => {
    const drain = { kind: 'worker-command', name: 'drain', timeoutMs: 1_000 } as const;
    const spec = aSpec('web1', { reboot: { ...policy('after-deploy'), drain } });
    const desired = wanting(2, 'B', aFleet([spec]), { web1: 'B' });
    const [verdict] = verdicts({});
    const elsewhere = { ...connection, port: 2222 };
    const long = anOutcome(aDeployment({ toplevel: A, next: elsewhere }));
    if (desired.kind !== 'ready' || verdict === undefined) throw new Error('nothing is wanted');
    const made = newDeployment({
      id: parseDeploymentId('d000001'),
      token: { epoch: 1, counter: 1 },
      verdict,
      spec,
      desired,
      memory: remembering(...base(['web1']), long),
      contact: reached('web1', onOldKernel(), noon),
      at: noon,
    });
    expect(made).toMatchObject({
      action: 'reboot',
      toplevel: B,
      reboot: { deadlineMs: plainHost.reboot.deadlineMs, drain, undrain: undefined },
    });
    // A host that hangs says nothing before it is back: what it is back as is known all the same.
    expect(made?.previous).toBe(onOldKernel().booted);
    expect(made?.known).toContainEqual(elsewhere);
  });
});
