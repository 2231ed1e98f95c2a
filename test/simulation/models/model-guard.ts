import type { RecordedEnd } from '../../../shared/domain/contact.ts';
import type { Deployment } from '../../../shared/domain/deployment.ts';
import type { ErrorCode, Failure } from '../../../shared/domain/errors.ts';
import type { DeploymentId, StorePath } from '../../../shared/domain/names.ts';
import { compareTokens } from '../../../shared/domain/token.ts';
import type { Random } from '../random.ts';
import type { Scheduler, SimProcess } from '../scheduler.ts';
import type { GuardRecord, HostSabotage, HostWatch, Machine } from './machine.ts';
import type { Quality, Systems } from './systems.ts';

export interface Guard {
  busyWith(): DeploymentId | undefined;
  /** Closes what a power cut has left open. */
  closeOldRecords(): void;
  start(
    deployment: Deployment,
  ): { readonly kind: 'known' } | { readonly kind: 'refused'; readonly failure: Failure };
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
}

function failureOf(code: ErrorCode, disposition: Failure['disposition'], message: string): Failure {
  return { code, disposition, message };
}

function refused(code: ErrorCode, message: string, details?: Record<string, string>) {
  const failure = failureOf(code, 'transient', message);
  return { kind: 'refused' as const, failure: details === undefined ? failure : { ...failure, details } };
}

/** The rules of the guard on a host, without its shell. */
export function createGuard(deps: GuardDeps): Guard {
  const { machine, scheduler, random, systems, watch, sabotage } = deps;

  function open(): GuardRecord | undefined {
    return [...machine.records.values()].find(
      (record) => record.end === undefined && record.bootId === machine.bootId,
    );
  }

  function qualityOf(record: GuardRecord): Quality {
    return systems.find(record.deployment.toplevel).quality;
  }

  function finish(record: GuardRecord, end: RecordedEnd): void {
    if (record.end !== undefined) return;
    record.end = end;
    watch.ended(machine, record.deployment, end);
  }

  /** Work that goes on by itself on the host, in a unit that outlives whoever asked for it. */
  function unit(what: string, work: (process: SimProcess) => Promise<void>): void {
    const process = scheduler.spawn(`${machine.name} ${what}`);
    machine.units.add(process);
    void work(process).then(() => machine.units.delete(process));
  }

  function run(record: GuardRecord, toplevel: StorePath): void {
    machine.current = toplevel;
    watch.changed(machine, record.deployment, toplevel);
  }

  function setProfile(toplevel: StorePath): void {
    if (machine.profile === toplevel) return;
    machine.profile = toplevel;
    machine.profileGeneration += 1;
  }

  function watchdog(record: GuardRecord, process: SimProcess, ms: number, late: () => boolean): void {
    scheduler.after(process, ms, `${machine.name} watchdog of ${record.deployment.id}`, () => {
      if (record.end === undefined && late()) {
        rollBack(record, failureOf('CONFIRM_TIMEOUT', 'transient', 'nobody confirmed it in time'), false);
      }
    });
  }

  function rollBack(record: GuardRecord, failure: Failure, evidence: boolean): void {
    if (record.decided !== undefined || sabotage?.neverRollsBack === true) return;
    record.decided = 'rolling-back';
    record.failure = failure;
    unit(`rolls back ${record.deployment.id}`, (process) => goBack(record, process, failure, evidence));
  }

  async function goBack(
    record: GuardRecord,
    process: SimProcess,
    failure: Failure,
    evidence: boolean,
  ): Promise<void> {
    await scheduler.clock(process).sleep(100 + random.int(3_000));
    if (qualityOf(record) === 'sticks') {
      finish(record, {
        kind: 'stuck',
        failure: failureOf('ROLL_BACK_FAILED', 'stalled', 'the way back failed'),
      });
      return;
    }
    run(record, record.previous);
    await scheduler.pass(process, 'verifies the roll back');
    finish(record, { kind: 'rolled-back', failure, evidence });
  }

  async function setForBoot(record: GuardRecord, process: SimProcess, after: RecordedEnd): Promise<boolean> {
    const { toplevel } = record.deployment;
    const { profile } = machine;
    setProfile(toplevel);
    await scheduler.pass(process, 'has set the profile');
    if (qualityOf(record) === 'boot-loader-fails') {
      setProfile(profile);
      return false;
    }
    machine.bootDefault = toplevel;
    watch.changed(machine, record.deployment, toplevel);
    await scheduler.pass(process, 'has set the boot default');
    finish(record, after);
    return true;
  }

  async function activation(record: GuardRecord, process: SimProcess): Promise<void> {
    const { mode, action, toplevel, timeouts } = record.deployment;
    const quality = qualityOf(record);
    await scheduler.pass(process, 'has its journal');
    if (action === 'finalise') {
      if (machine.current !== toplevel) {
        const failure = failureOf('DRIFTED', 'transient', 'it does not run what was to be made lasting');
        finish(record, { kind: 'failed', failure });
        return;
      }
      const done = await setForBoot(record, process, { kind: 'succeeded' });
      if (!done) finish(record, { kind: 'failed', failure: bootLoaderFailed });
      return;
    }
    await scheduler.clock(process).sleep(random.chance(0.05) ? timeouts.activationMs * 2 : random.int(5_000));
    if (record.decided !== undefined) return;
    if (quality === 'refused') {
      finish(record, {
        kind: 'failed',
        failure: failureOf('ACTIVATION_FAILED', 'stalled', 'switch-to-configuration said no'),
      });
      return;
    }
    if (mode === 'boot' || quality === 'needs-reboot') {
      const done = await setForBoot(record, process, { kind: 'awaiting-reboot' });
      if (!done) finish(record, { kind: 'failed', failure: bootLoaderFailed });
      return;
    }
    run(record, toplevel);
    await scheduler.pass(process, 'has switched');
    if (record.decided !== undefined) return;
    if (quality === 'breaks' || quality === 'sticks') {
      rollBack(record, failureOf('ACTIVATION_FAILED', 'stalled', 'the switch exited with 2'), true);
      return;
    }
    record.switched = true;
    const { running } = machine;
    if (running !== undefined) watchdog(record, running, timeouts.confirmMs, () => true);
  }

  async function confirmed(record: GuardRecord, process: SimProcess): Promise<void> {
    const end: RecordedEnd = { kind: 'succeeded' };
    const done = record.deployment.mode === 'test' ? true : await setForBoot(record, process, end);
    if (done) return finish(record, end);
    await goBack(record, process, bootLoaderFailed, true);
  }

  const bootLoaderFailed = failureOf('BOOTLOADER_FAILED', 'stalled', 'the boot loader could not be written');

  return {
    busyWith: () => open()?.deployment.id,
    closeOldRecords() {
      for (const record of machine.records.values()) {
        if (record.end !== undefined || record.bootId === machine.bootId) continue;
        const { toplevel } = record.deployment;
        if (record.decided === 'confirmed' && machine.bootDefault === toplevel) {
          finish(record, { kind: 'succeeded' });
        } else {
          // The boot default decides: the profile is brought back to it.
          setProfile(machine.bootDefault);
          finish(record, {
            kind: 'rolled-back',
            failure: failureOf('POWER_LOST', 'transient', 'the host was booted inside the window'),
            evidence: false,
          });
        }
      }
    },
    start(deployment) {
      this.closeOldRecords();
      const known = machine.records.get(deployment.id);
      if (known !== undefined && sabotage?.forgetsRecords !== true) return { kind: 'known' };
      const busy = open();
      if (busy !== undefined && sabotage?.ignoresLock !== true) {
        return refused('HOST_BUSY', `${busy.deployment.id} is under way`);
      }
      if (machine.owner !== deployment.owner) {
        return refused(machine.owner === undefined ? 'UNMANAGED' : 'OWNED_BY', 'another owner');
      }
      const { highest } = machine;
      if (
        highest !== undefined &&
        compareTokens(deployment.token, highest) <= 0 &&
        sabotage?.acceptsAnyToken !== true
      ) {
        return refused('TOKEN_REFUSED', 'a higher token was seen', {
          highest: `${highest.epoch} ${highest.counter}`,
        });
      }
      if (!machine.store.has(deployment.toplevel)) {
        return refused('ACTIVATION_REFUSED', 'the toplevel is not on the host');
      }
      machine.highest = deployment.token;
      const record: GuardRecord = {
        deployment,
        previous: machine.current,
        bootId: machine.bootId,
        switched: false,
        decided: undefined,
        failure: undefined,
        end: undefined,
      };
      machine.records.set(deployment.id, record);
      watch.started(machine, deployment);
      unit(`activates ${deployment.id}`, (process) => activation(record, process));
      const { running } = machine;
      if (running !== undefined) {
        watchdog(record, running, deployment.timeouts.activationMs, () => !record.switched);
      }
      return { kind: 'known' };
    },
    acknowledge(id) {
      const record = machine.records.get(id);
      if (record === undefined || !record.switched || record.decided !== undefined) return;
      if (record.bootId !== machine.bootId) return;
      record.decided = 'confirmed';
      unit(`confirms ${id}`, (process) => confirmed(record, process));
    },
    refuse(id, failure) {
      const record = machine.records.get(id);
      if (record === undefined || !record.switched || record.bootId !== machine.bootId) return;
      rollBack(record, failure, true);
    },
  };
}
