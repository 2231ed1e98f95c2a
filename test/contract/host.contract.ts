import { describe, expect, test } from 'vitest';
import { parseStorePath } from '../../shared/domain/names.ts';
import { hostDrift } from './host-drift.contract.ts';
import { hostEndings } from './host-endings.contract.ts';
import { hostReboots } from './host-reboots.contract.ts';
import { done, endOf, refused, succeeded } from './host-outcomes.ts';
import { hostBench, nowhere, owner, quarantineCheck, type Activation, type HostRig } from './host-rig.ts';
import { hostTidying } from './host-tidying.contract.ts';

/** What a worker's steps show of every host: activations by its guard, and what probes find and do. */
export function hostContract(name: string, make: () => Promise<HostRig>): void {
  const present = hostBench(make);
  hostEndings(name, present);
  hostReboots(name, present);
  hostTidying(name, present);
  hostDrift(name, present);

  describe(`who may activate on a host: ${name}`, () => {
    test('nobody, as long as it has no owner', async () => {
      const { rig, activate, deployment, probe, state } = present();
      await rig.disown();
      expect((await probe()).owner).toBeUndefined();
      expect(await activate(deployment('two'))).toMatchObject(refused('UNMANAGED'));
      expect((await probe({ adopt: { owner, takeover: false } })).owner).toBe(owner);
      expect((await state()).slice(0, 3)).toEqual(['one', 'one', 'one']);
    });

    test('not another than its owner, who is made that by a takeover only', async () => {
      const { activate, deployment, probe } = present();
      const ours = deployment('two');
      expect(await activate(ours)).toMatchObject(done);
      const foreign = { ...ours, owner: 'another' };
      expect(await activate(foreign)).toMatchObject(refused('OWNED_BY', { owner }));
      expect(await activate(deployment('one', { owner: 'another' }))).toMatchObject(
        refused('OWNED_BY', { owner }),
      );
      expect((await probe({ adopt: { owner: 'another', takeover: false } })).owner).toBe(owner);
      expect((await probe({ adopt: { owner: 'another', takeover: true } })).owner).toBe('another');
      expect(await activate(deployment('one'))).toMatchObject(refused('OWNED_BY', { owner: 'another' }));
    });

    test('nobody with a token that is equal to the highest or below it', async () => {
      const { activate, deployment, probe, state } = present();
      const { highestToken } = await probe();
      if (highestToken === undefined) throw new Error('nothing was ever activated');
      const highest = `${highestToken.epoch} ${highestToken.counter}`;
      for (const token of [highestToken, { epoch: 0, counter: 999_999 }]) {
        const late = await activate(deployment('two', { token }));
        expect(late).toMatchObject(refused('TOKEN_REFUSED', { highest }));
      }
      expect((await state())[0]).toBe('one');
      expect((await probe()).highestToken).toEqual(highestToken);
    });

    test('nobody below a fence that a probe has raised; no fence lowers it', async () => {
      const { activate, deployment, probe } = present();
      const late = deployment('two');
      expect((await probe({ fence: late.token })).highestToken).toEqual(late.token);
      expect((await probe({ fence: { epoch: 0, counter: 999_999 } })).highestToken).toEqual(late.token);
      expect(await activate(late)).toMatchObject(refused('TOKEN_REFUSED'));
      expect(await activate(deployment('two'))).toMatchObject(done);
    });

    test('nobody what is not there; its token may be used once it is', async () => {
      const { activate, deployment, rig } = present();
      const there = deployment('two');
      const toplevel = parseStorePath(`/nix/store/${'1'.repeat(32)}-elsewhere`);
      expect(await activate({ ...there, toplevel })).toMatchObject(refused('PUSH_FAILED'));
      expect(there.toplevel).toBe(rig.toplevels.two);
      expect(await activate(there)).toMatchObject(done);
    });

    test('nobody who does not reach it: nothing is known, and nothing was started', async () => {
      const { activate, deployment, recordOf, rig } = present();
      const elsewhere = { ...rig.connection, port: nowhere };
      const lost = deployment('two', { known: [elsewhere], next: elsewhere });
      expect((await activate(lost)).outcome).toMatchObject({
        kind: 'unknown',
        failure: { code: 'OUTCOME_UNKNOWN', disposition: 'transient' },
      });
      expect(await recordOf(lost)).toBeUndefined();
    });
  });

  describe(`a check before an activation: ${name}`, () => {
    const checks = [quarantineCheck];

    test('that fails leaves the host alone, and keeps the deployment from being started by anybody', async () => {
      const { activate, deployment, probe, recordOf, rig, state } = present();
      const before = await state();
      const end = await rig.quarantine();
      const one = deployment('two', { checks });
      expect(await activate(one)).toMatchObject(refused('NOT_READY'));
      expect(await state()).toEqual(before);
      expect(await recordOf(one)).toBeUndefined();
      expect((await probe()).highestToken).toEqual(one.token);
      await end();
      expect(await activate(one)).toMatchObject(refused('TOKEN_REFUSED'));
      expect(await activate(deployment('two', { checks }))).toMatchObject(done);
    });

    test('is not asked of what has begun', async () => {
      const { activate, deployment, rig } = present();
      const one = deployment('two', { checks });
      const gone = new AbortController();
      let end = async (): Promise<void> => {};
      await activate(one, {
        signal: gone.signal,
        async onEvent() {
          end = await rig.quarantine();
          gone.abort();
        },
      });
      expect(await activate(one)).toMatchObject(done);
      await end();
    });
  });

  describe(`a healthy toplevel: ${name}`, () => {
    test('runs, is the profile and the boot default, in one new profile generation', async () => {
      const { activate, deployment, recordOf, rig, state } = present();
      const [, , , before = 0] = await state();
      const one = deployment('two');
      const activation = await activate(one);
      expect(activation.outcome).toEqual({ kind: 'ended', end: succeeded, previous: rig.toplevels.one });
      expect(activation.events).toEqual([{ kind: 'switched', previous: rig.toplevels.one }]);
      expect(await state()).toEqual(['two', 'two', 'two', before + 1]);
      expect(await recordOf(one)).toMatchObject({
        deployment: one.id,
        token: one.token,
        toplevel: one.toplevel,
        previous: rig.toplevels.one,
        end: succeeded,
      });
    });

    test('that is there already makes no new profile generation', async () => {
      const { activate, deployment, state } = present();
      const before = await state();
      expect(await activate(deployment('one'))).toMatchObject(done);
      expect(await state()).toEqual(before);
    });

    test('asked for again, also by two workers at once, gives its record and starts nothing', async () => {
      const { activate, deployment, state } = present();
      const [, , , before = 0] = await state();
      const one = deployment('two');
      for (const each of await Promise.all([activate(one), activate(one)])) expect(each).toMatchObject(done);
      expect(await state()).toEqual(['two', 'two', 'two', before + 1]);
      expect(await activate(deployment('one'))).toMatchObject(done);
      const now = await state();
      expect(await activate(one)).toMatchObject(done);
      expect(await state()).toEqual(now);
    });

    test('is taken over and confirmed by a worker that comes later', async () => {
      const { activate, deployment, ended, rig, recordOf } = present();
      const one = deployment('two');
      const gone = new AbortController();
      const unheard = { ...one, next: { ...rig.connection, port: nowhere } };
      const first = await activate(unheard, { signal: gone.signal, onEvent: async () => gone.abort() });
      expect(first.outcome).toMatchObject({ kind: 'unknown', failure: { code: 'OUTCOME_UNKNOWN' } });
      expect((await recordOf(one))?.end).toBeUndefined();
      expect(await activate(one)).toMatchObject(done);
      expect(await ended(one)).toEqual(succeeded);
    });
  });

  describe(`while an activation awaits its acknowledgement: ${name}`, () => {
    test('a second deployment is refused, a fence does not rise, and its record stays', async () => {
      const { activate, deployment, probe, rig } = present();
      const first = deployment('two', {
        next: { ...rig.connection, port: nowhere },
        timeouts: { confirmMs: 6_000 },
      });
      const second = deployment('one');
      let other: Activation | undefined;
      let report: Awaited<ReturnType<typeof probe>> | undefined;
      const activation = await activate(first, {
        async onEvent({ kind }) {
          if (kind !== 'switched') return;
          other = await activate(second);
          report = await probe({ fence: { epoch: 9, counter: 9 }, acknowledged: [first.id] });
        },
      });
      expect(other).toMatchObject(refused('HOST_BUSY', { deployment: first.id }));
      expect(report).toMatchObject({ locked: true, highestToken: first.token, current: first.toplevel });
      expect(report?.records).toMatchObject([{ deployment: first.id, end: undefined }]);
      expect(endOf(activation).kind).toBe('rolled-back');
      expect((await probe()).locked).toBe(false);
      // Its token was not used up by the refusal.
      expect(await activate(second)).toMatchObject(done);
    });
  });

  describe(`records: ${name}`, () => {
    test('every probe reports one until it is acknowledged, and its deployment cannot start again then', async () => {
      const { activate, deployment, probe } = present();
      const [first, second] = [deployment('two'), deployment('refused')];
      expect(await activate(first)).toMatchObject(done);
      await activate(second);
      const ids = async (acknowledged: readonly (typeof first.id)[]) =>
        (await probe({ acknowledged })).records.map((record) => record.deployment).toSorted();
      expect(await ids([])).toEqual([first.id, second.id]);
      expect(await ids([first.id])).toEqual([second.id]);
      expect(await ids([first.id])).toEqual([second.id]);
      expect(await activate(first)).toMatchObject(refused('TOKEN_REFUSED'));
      expect(await ids([second.id])).toEqual([]);
    });
  });
}
