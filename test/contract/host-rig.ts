import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import type { Check } from '../../shared/domain/check.ts';
import type { HostRecord, ProbeReport, ProbeTarget, RecordedEnd } from '../../shared/domain/contact.ts';
import type { Deployment } from '../../shared/domain/deployment.ts';
import type { Connection, Timeouts } from '../../shared/domain/fleet.ts';
import { parseDeploymentId, type HostName, type StorePath } from '../../shared/domain/names.ts';
import type { ActivateOutcome, ActivationEvent, Steps } from '../../shared/platform/ports/steps.ts';
import { aDeployment } from './samples.ts';

/** What becomes of a host that activates a system. */
export const behaviours = [
  /** Two that are healthy. */
  'one',
  'two',
  /** Healthy as well, with another kernel than these. */
  'other-kernel',
  /** `switch-to-configuration` says no (1) before it changes anything. */
  'refused',
  /** It ends half-way (2). */
  'breaks',
  /** It ends with a failed unit (4). */
  'fails-unit',
  /** It does not end. */
  'hangs',
  /** It can only be booted (100), and only a boot leads away from it. */
  'needs-reboot',
  /** Nobody reaches the host while it runs. */
  'cuts-network',
  /** It switches well, and a health check fails. */
  'unhealthy',
  'boot-loader-fails',
  /** It fails, and leaves behind what `one` does not start with. */
  'sticks',
] as const;

export type Behaviour = (typeof behaviours)[number];

/** One host that Varve has never been at, with its guard, as a worker sees it through its steps. */
export interface HostRig {
  readonly name: HostName;
  readonly connection: Connection;
  readonly steps: Pick<Steps, 'activate' | 'probe'>;
  /** Systems that are on the host. */
  readonly toplevels: Readonly<Record<Behaviour, StorePath>>;
  /** Takes away what a system before left outside of itself. */
  mend(): Promise<void>;
  disown(): Promise<void>;
  /** Somebody else switches the host's configuration, until the function is called. */
  holdSwitchLock(): Promise<() => Promise<void>>;
  /** A unit of no system fails now, and again with every switch, until the function is called. */
  breakUnit(): Promise<() => Promise<void>>;
  /** From now on `quarantineCheck` fails, until the function is called. */
  quarantine(): Promise<() => Promise<void>>;
  /** The power fails, and the host boots. */
  powerCut(): Promise<void>;
  /** Some time between two looks. */
  moment(): Promise<void>;
  close(): Promise<void>;
}

export const owner = 'this-varve';
/** Where nobody listens. */
export const nowhere = 4;

/** What a host that is quarantined must not pass. */
export const quarantineCheck: Check = {
  kind: 'command',
  command: ['test', '!', '-e', '/run/quarantined'],
  intervalMs: 1_000,
  timeoutMs: 5_000,
  successes: 1,
  before: true,
};

export interface Activation {
  readonly outcome: ActivateOutcome;
  readonly events: readonly ActivationEvent[];
}

export type Wish = Partial<Omit<Deployment, 'toplevel' | 'timeouts'>> & {
  readonly timeouts?: Partial<Timeouts>;
};

export interface Around {
  readonly onEvent?: (event: ActivationEvent) => Promise<void>;
  readonly signal?: AbortSignal;
}

/** What a suite does with a host. */
export interface HostBench {
  readonly rig: HostRig;
  /** A deployment of its own, with a token above all before. */
  deployment(system: Behaviour, wish?: Wish): Deployment;
  activate(deployment: Deployment, around?: Around): Promise<Activation>;
  probe(wish?: Partial<ProbeTarget>): Promise<ProbeReport>;
  recordOf(deployment: Deployment): Promise<HostRecord | undefined>;
  /** Probes until the record says how it ended. */
  ended(deployment: Deployment): Promise<RecordedEnd>;
  /** Current system, profile and boot default by name, and the number of the profile generation. */
  state(): Promise<readonly [string, string, string, number | undefined]>;
}

const patience = 200;

/** One host for all tests of the suite that calls it; each finds it on `one`, ours, and with no records. */
export function hostBench(make: () => Promise<HostRig>): () => HostBench {
  let rig: HostRig | undefined;
  let number = 0;
  const present = (): HostRig => {
    if (rig === undefined) throw new Error('there is a host only inside a test');
    return rig;
  };
  const deployment: HostBench['deployment'] = (system, { timeouts, ...wish } = {}) => {
    const { name, connection, toplevels } = present();
    number += 1;
    return aDeployment({
      id: parseDeploymentId(`d${String(number).padStart(6, '0')}`),
      host: name,
      toplevel: toplevels[system],
      token: { epoch: 1, counter: number },
      owner,
      known: [connection],
      next: connection,
      checks: [],
      phase: 'activating',
      ...wish,
      timeouts: {
        buildMs: 1,
        pushMs: 1,
        activationMs: 20_000,
        confirmMs: 15_000,
        settleMs: 0,
        ...timeouts,
      },
    });
  };
  const quiet = { log: () => {}, progress: () => {} };
  const activate: HostBench['activate'] = async (one, around = {}) => {
    const events: ActivationEvent[] = [];
    const context = { ...quiet, signal: around.signal ?? new AbortController().signal };
    const outcome = await present().steps.activate(one, context, async (event) => {
      events.push(event);
      await around.onEvent?.(event);
    });
    return { outcome, events };
  };
  const probe: HostBench['probe'] = async (wish) => {
    const { name, connection, steps } = present();
    const target = {
      host: name,
      askedAt: 1,
      connections: [connection],
      ask: [],
      acknowledged: [],
      fence: undefined,
      adopt: undefined,
      checks: [],
      retain: undefined,
      tidy: undefined,
      expected: undefined,
      ...wish,
    };
    const signal = new AbortController().signal;
    const contact = await steps.probe(target, 'incarnation', { ...quiet, signal });
    if (contact.kind !== 'reached') throw new Error(`not reached: ${contact.failure.message}`);
    return contact.report;
  };
  async function until<Value>(look: () => Promise<Value | undefined>, what: string): Promise<Value> {
    for (let tries = 0; tries < patience; tries += 1) {
      const value = await look().catch(() => undefined);
      if (value !== undefined) return value;
      await present().moment();
    }
    throw new Error(`waited in vain for ${what}`);
  }
  const recordOf: HostBench['recordOf'] = async ({ id }) =>
    (await probe()).records.find((record) => record.deployment === id);
  const state: HostBench['state'] = async () => {
    const { toplevels } = present();
    const { current, profile, bootDefault, profileGeneration } = await probe();
    const name = (path: string | undefined): string =>
      behaviours.find((one) => toplevels[one] === path) ?? path ?? 'nothing';
    return [name(current), name(profile), name(bootDefault), profileGeneration];
  };

  beforeAll(async () => {
    rig = await make();
  });
  afterAll(() => rig?.close());
  beforeEach(async () => {
    await present().mend();
    const adopt = { owner, takeover: true };
    const { records } = await until(async () => {
      const report = await probe({ adopt });
      return report.records.every((record) => record.end !== undefined) ? report : undefined;
    }, 'the end of everything before');
    const [current, profile, bootDefault] = await state();
    const isOne = [current, profile, bootDefault].every((one) => one === 'one');
    const first = deployment('one');
    if (!isOne) {
      const { outcome } = await activate(first);
      if (outcome.kind === 'ended' && outcome.end.kind === 'awaiting-reboot') await present().powerCut();
      expect((await state()).slice(0, 3)).toEqual(['one', 'one', 'one']);
    }
    await probe({ acknowledged: [...records.map((record) => record.deployment), first.id] });
  });

  return () => ({
    rig: present(),
    deployment,
    activate,
    probe,
    recordOf,
    ended: (one) => until(async () => (await recordOf(one))?.end, `the end of ${one.id}`),
    state,
  });
}
