import type { RecordedEnd } from '../../../shared/domain/contact.ts';
import type { Deployment } from '../../../shared/domain/deployment.ts';
import type { Failure } from '../../../shared/domain/errors.ts';
import type { DeploymentId } from '../../../shared/domain/names.ts';
import { compareTokens } from '../../../shared/domain/token.ts';
import type { Random } from '../random.ts';
import type { Scheduler, SimProcess } from '../scheduler.ts';
import { refusals, troubles } from './guard-failures.ts';
import type { GuardRecord, HostSabotage, HostWatch, Machine } from './machine.ts';
import { createMachineSystem } from './machine-system.ts';
import { createReboots } from './model-reboot.ts';
import type { Quality, Systems } from './systems.ts';

/** `known`: the host has a record of it, from now on or from before. */
export type Started = { readonly kind: 'known' } | { readonly kind: 'refused'; readonly failure: Failure };

export interface Guard {
  busyWith(): DeploymentId | undefined;
  failedUnits(): readonly string[];
  /** Closes what a power cut has left open. */
  closeOldRecords(): void;
  /** What an early unit of every boot does. */
  booted(): void;
  start(deployment: Deployment, ready: boolean): Started;
  acknowledge(id: DeploymentId): void;
  refuse(id: DeploymentId, failure: Failure): void;
}

export interface GuardDeps {
  readonly machine: Machine;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly systems: Systems;
  readonly watch: HostWatch;
  readonly sabotage?: HostSabotage;
  readonly restart: () => void;
}

/** How often a roll back finds somebody else switching before it gives up, and what it waits in between. */
const lockTries = 30;
const lockWaitMs = 1_000;

/** The rules of the guard on a host, without its shell. */
export function createGuard(deps: GuardDeps): Guard {
  const { machine, scheduler, random, systems, watch, sabotage } = deps;
  const { run, setProfile, setDefault, restoreDefault, failedUnits } = createMachineSystem(deps);

  function open(): GuardRecord | undefined {
    return [...machine.records.values()].find((record) => record.end === undefined);
  }

  function qualityOf(record: GuardRecord): Quality {
    return systems.find(record.deployment.toplevel).quality;
  }

  function isLocked(): boolean {
    return scheduler.now() < machine.switchLockedUntil;
  }

  function finish(record: GuardRecord, end: RecordedEnd): void {
    if (record.end !== undefined) return;
    record.end = end;
    watch.ended(machine, record.deployment, end);
  }

  const reboots = createReboots({ ...deps, failedUnits, finish });

  /** Work that goes on by itself on the host, in a unit that outlives whoever asked for it. */
  function unit(what: string, work: (process: SimProcess) => Promise<void>): SimProcess {
    const process = scheduler.spawn(`${machine.name} ${what}`);
    machine.units.add(process);
    void work(process).then(() => machine.units.delete(process));
    return process;
  }

  function watchdog(record: GuardRecord, ms: number, late: () => void): void {
    const { running } = machine;
    if (running === undefined) return;
    scheduler.after(running, ms, `${machine.name} watchdog of ${record.deployment.id}`, () => {
      if (record.end === undefined && record.decided === undefined) late();
    });
  }

  function rollBack(record: GuardRecord, failure: Failure, evidence: boolean): void {
    if (record.decided !== undefined || sabotage?.neverRollsBack === true) return;
    record.decided = 'rolling-back';
    unit(`rolls back ${record.deployment.id}`, (process) => goBack(record, process, failure, evidence));
  }

  async function goBack(
    record: GuardRecord,
    process: SimProcess,
    failure: Failure,
    evidence: boolean,
  ): Promise<void> {
    record.goesBack = failure;
    const clock = scheduler.clock(process);
    if (record.touchedDefault) restoreDefault(record);
    await clock.sleep(100 + random.int(3_000));
    for (let tries = 0; isLocked() && tries < lockTries; tries += 1) await clock.sleep(lockWaitMs);
    if (qualityOf(record) === 'sticks' || isLocked()) {
      finish(record, { kind: 'stuck', failure: troubles.noWayBack });
      return;
    }
    run(record, record.previous);
    await scheduler.pass(process, 'verifies the roll back');
    finish(record, { kind: 'rolled-back', failure, evidence });
  }

  /** What runs stays. */
  async function onlyDefault(record: GuardRecord, process: SimProcess, end: RecordedEnd): Promise<void> {
    if (await setDefault(record, process)) return finish(record, end);
    restoreDefault(record);
    finish(record, { kind: 'failed', failure: troubles.bootLoader });
  }

  async function activation(record: GuardRecord, process: SimProcess): Promise<void> {
    const { mode, action, toplevel } = record.deployment;
    await scheduler.pass(process, 'has its journal');
    if (action === 'reboot') return reboots.order(record, process);
    if (action === 'finalise') {
      if (machine.current === toplevel) return onlyDefault(record, process, { kind: 'succeeded' });
      return finish(record, { kind: 'failed', failure: troubles.drifted });
    }
    switch (mode) {
      case 'dry-activate':
        if (qualityOf(record) === 'hangs') return;
        return finish(record, { kind: 'succeeded' });
      case 'boot':
        return onlyDefault(record, process, { kind: 'awaiting-reboot' });
      case 'switch':
      case 'test':
        return switchLive(record, process);
    }
  }

  function counts({ deployment, baseline }: GuardRecord, name: string): boolean {
    if (deployment.unitFailures === 'new') return !baseline.includes(name);
    return deployment.unitFailures === 'any';
  }

  async function switchLive(record: GuardRecord, process: SimProcess): Promise<void> {
    const { mode, toplevel, timeouts } = record.deployment;
    const quality = qualityOf(record);
    const clock = scheduler.clock(process);
    if (isLocked()) return finish(record, { kind: 'failed', failure: troubles.lockHeld });
    await clock.sleep(quality === 'hangs' ? timeouts.activationMs * 2 : random.int(5_000));
    if (record.decided !== undefined) return;
    // Between two of that kind it can be switched.
    const isOfThatKind = systems.find(machine.current).quality === 'needs-reboot';
    const needsReboot = isOfThatKind !== (quality === 'needs-reboot');
    if (needsReboot && mode === 'switch') {
      return onlyDefault(record, process, { kind: 'awaiting-reboot' });
    }
    if (quality === 'refused' || needsReboot) {
      return finish(record, { kind: 'failed', failure: troubles.refused });
    }
    run(record, toplevel);
    await scheduler.pass(process, 'has switched');
    if (record.decided !== undefined) return;
    if (quality === 'breaks' || quality === 'sticks') return rollBack(record, troubles.broke, true);
    if (failedUnits().some((name) => counts(record, name))) {
      return rollBack(record, troubles.unit, true);
    }
    record.switchedAt = scheduler.now();
    watchdog(record, timeouts.confirmMs, () => rollBack(record, troubles.unconfirmed, false));
  }

  async function confirmed(record: GuardRecord, process: SimProcess): Promise<void> {
    const done = record.deployment.mode === 'test' || (await setDefault(record, process));
    if (done) return finish(record, { kind: 'succeeded' });
    await goBack(record, process, troubles.bootLoader, true);
  }

  /** Whatever is the boot default runs now. */
  function closeAfterBoot(record: GuardRecord): void {
    const { toplevel, action } = record.deployment;
    if (record.touchedDefault && machine.booted === toplevel) {
      setProfile(toplevel);
      const lasting = record.decided === 'confirmed' || action === 'finalise';
      finish(record, { kind: lasting ? 'succeeded' : 'awaiting-reboot' });
      return;
    }
    if (record.touchedDefault) restoreDefault(record);
    finish(record, { kind: 'rolled-back', failure: troubles.powerLost, evidence: false });
  }

  function closeOldRecords(): void {
    for (const record of machine.records.values()) {
      if (record.end !== undefined || record.bootId === machine.bootId) continue;
      if (record.deployment.action === 'reboot') reboots.afterBoot(record);
      else closeAfterBoot(record);
    }
  }

  function refusal({ id, owner, token, toplevel }: Deployment): Failure | undefined {
    if (machine.owner === undefined) return refusals.unmanaged;
    if (machine.owner !== owner) return refusals.ownedBy(machine.owner);
    if (machine.records.has(id) && sabotage?.forgetsRecords !== true) return undefined;
    const { highest } = machine;
    const isOld = highest !== undefined && compareTokens(token, highest) <= 0;
    if (isOld && sabotage?.acceptsAnyToken !== true) {
      return refusals.token(`${highest.epoch} ${highest.counter}`);
    }
    const busy = open();
    if (busy !== undefined && sabotage?.ignoresLock !== true) return refusals.busy(busy.deployment.id);
    return machine.store.has(toplevel) ? undefined : refusals.notThere;
  }

  /** A host that runs the toplevel already, on another's kernel, comes back as what it was booted with. */
  function previousOf({ action, toplevel }: Deployment): GuardRecord['previous'] {
    return action === 'reboot' && machine.current === toplevel ? machine.booted : machine.current;
  }

  /** Nobody else may start it any more either. */
  function unready({ id, token }: Deployment, ready: boolean): Failure | undefined {
    if (ready || machine.records.has(id)) return undefined;
    machine.highest = token;
    return refusals.notReady;
  }

  function startNew(deployment: Deployment): void {
    machine.highest = deployment.token;
    const record: GuardRecord = {
      deployment,
      previous: previousOf(deployment),
      profile: machine.profile,
      profileGeneration: machine.profileGeneration,
      bootId: machine.bootId,
      baseline: failedUnits(),
      switchedAt: undefined,
      decided: undefined,
      touchedDefault: false,
      goesBack: undefined,
      blamed: false,
      ordered: false,
      seenBoot: undefined,
      end: undefined,
    };
    machine.records.set(deployment.id, record);
    watch.started(machine, deployment);
    const work = unit(`activates ${deployment.id}`, (process) => activation(record, process));
    watchdog(record, deployment.timeouts.activationMs, () => {
      if (record.switchedAt !== undefined || record.ordered) return;
      scheduler.kill(work);
      machine.units.delete(work);
      if (record.deployment.action === 'reboot') reboots.giveUp(record, troubles.notDown);
      else if (deployment.mode === 'dry-activate') finish(record, { kind: 'failed', failure: troubles.hung });
      else rollBack(record, troubles.hung, true);
    });
  }

  return {
    busyWith: () => open()?.deployment.id,
    failedUnits,
    closeOldRecords,
    booted() {
      for (const record of machine.records.values()) {
        if (record.end !== undefined || record.deployment.action !== 'reboot') continue;
        unit(`looks at the reboot of ${record.deployment.id}`, async (process) => {
          await scheduler.pass(process, 'has booted');
          reboots.afterBoot(record);
        });
      }
    },
    start(deployment, ready) {
      const failure = refusal(deployment) ?? unready(deployment, ready);
      // Found under way or known: what a power cut has left open is brought to its end, for whoever asks next.
      closeOldRecords();
      if (failure !== undefined) return { kind: 'refused', failure };
      if (!machine.records.has(deployment.id) || sabotage?.forgetsRecords === true) startNew(deployment);
      return { kind: 'known' };
    },
    acknowledge(id) {
      const record = machine.records.get(id);
      if (record?.switchedAt === undefined || record.decided !== undefined) return;
      if (record.deployment.action === 'reboot') {
        reboots.acknowledge(record);
        return;
      }
      if (record.bootId !== machine.bootId) return;
      record.decided = 'confirmed';
      unit(`confirms ${id}`, (process) => confirmed(record, process));
    },
    refuse(id, failure) {
      const record = machine.records.get(id);
      if (record?.switchedAt === undefined) return;
      if (record.deployment.action === 'reboot') {
        if (record.seenBoot === machine.bootId && record.decided === undefined) {
          reboots.goBack(record, failure, true);
        }
        return;
      }
      if (record.bootId !== machine.bootId) return;
      rollBack(record, failure, true);
    },
  };
}
