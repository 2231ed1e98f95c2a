import type { RecordedEnd } from '../../../shared/domain/contact.ts';
import type { Failure } from '../../../shared/domain/errors.ts';
import type { StorePath } from '../../../shared/domain/names.ts';
import type { Scheduler, SimProcess } from '../scheduler.ts';
import { troubles } from './guard-failures.ts';
import type { GuardRecord, HostWatch, Machine } from './machine.ts';
import type { Systems } from './systems.ts';

export interface Reboots {
  /** In the boot that is to end. */
  order(record: GuardRecord, process: SimProcess): Promise<void>;
  /** In any later boot: the first look, or another one. */
  afterBoot(record: GuardRecord): void;
  acknowledge(record: GuardRecord): void;
  goBack(record: GuardRecord, failure: Failure, evidence: boolean): void;
  /** Still in the boot that was to end, and nothing of it is to happen any more. */
  giveUp(record: GuardRecord, failure: Failure): void;
}

/** The guard's rules for a reboot: what boots and what does not, who decides, and that there is one way each. */
export function createReboots(deps: {
  readonly machine: Machine;
  readonly scheduler: Scheduler;
  readonly systems: Systems;
  readonly watch: HostWatch;
  readonly failedUnits: () => readonly string[];
  readonly finish: (record: GuardRecord, end: RecordedEnd) => void;
  /** The machine goes down, and boots what is next. */
  readonly restart: () => void;
}): Reboots {
  const { machine, scheduler, systems, watch, finish } = deps;

  function setDefault(record: GuardRecord, toplevel: StorePath): void {
    if (machine.profile !== toplevel) {
      machine.profile = toplevel;
      machine.profileGeneration += toplevel === record.deployment.toplevel ? 1 : -1;
    }
    machine.bootDefault = toplevel;
    machine.bootOnce = undefined;
    watch.changed(machine, record.deployment, toplevel);
  }

  function goBack(record: GuardRecord, failure: Failure, evidence: boolean): void {
    record.decided = 'rolling-back';
    record.goesBack = failure;
    record.blamed = evidence;
    setDefault(record, record.previous);
    deps.restart();
  }

  function keep(record: GuardRecord): void {
    const { toplevel } = record.deployment;
    if (systems.find(toplevel).quality === 'boot-loader-fails') {
      goBack(record, troubles.bootLoader, true);
      return;
    }
    setDefault(record, toplevel);
    finish(record, { kind: 'succeeded' });
  }

  function cameBack(record: GuardRecord): void {
    record.decided = 'rolling-back';
    if (record.seenBoot === undefined && !record.ordered) {
      setDefault(record, record.deployment.toplevel);
      finish(record, { kind: 'failed', failure: troubles.powerLost });
      return;
    }
    setDefault(record, record.previous);
    finish(
      record,
      record.seenBoot === undefined
        ? {
            kind: 'rolled-back',
            failure: troubles.rebootFailed,
            evidence: machine.booted === record.previous,
          }
        : { kind: 'rolled-back', failure: troubles.powerLost, evidence: false },
    );
  }

  function awaitDecision(record: GuardRecord): void {
    if (record.seenBoot !== undefined || machine.running === undefined) return;
    record.seenBoot = machine.bootId;
    record.switchedAt = scheduler.now();
    const { id, reboot, timeouts } = record.deployment;
    const ms = Math.max(reboot?.deadlineMs ?? 0, timeouts.confirmMs);
    scheduler.after(machine.running, ms, `${machine.name} watchdog of ${id}`, () => {
      if (record.end === undefined && record.decided === undefined) {
        goBack(record, troubles.unconfirmed, false);
      }
    });
  }

  return {
    async order(record, process) {
      const { toplevel } = record.deployment;
      if (machine.booted === toplevel && machine.current === toplevel) {
        return finish(record, { kind: 'succeeded' });
      }
      if (machine.profile !== toplevel || machine.bootDefault !== toplevel) {
        return finish(record, { kind: 'failed', failure: troubles.drifted });
      }
      machine.bootDefault = record.previous;
      watch.changed(machine, record.deployment, record.previous);
      await scheduler.pass(process, 'has the way back');
      machine.bootOnce = toplevel;
      await scheduler.pass(process, 'has the way forward');
      record.ordered = true;
      deps.restart();
    },
    afterBoot(record) {
      const { deployment, goesBack, blamed, seenBoot, decided } = record;
      if (record.end !== undefined) return;
      const isThere = machine.booted === deployment.toplevel;
      if (goesBack !== undefined) {
        if (!isThere) finish(record, { kind: 'rolled-back', failure: goesBack, evidence: blamed });
        else if (seenBoot !== machine.bootId) finish(record, { kind: 'stuck', failure: troubles.noWayBack });
      } else if (!isThere) cameBack(record);
      else if (seenBoot === undefined || seenBoot === machine.bootId) awaitDecision(record);
      else if (decided === 'confirmed') keep(record);
      else goBack(record, troubles.powerLost, false);
    },
    acknowledge(record) {
      if (record.seenBoot !== machine.bootId || record.decided !== undefined) return;
      if (deps.failedUnits().some((name) => !record.baseline.includes(name))) {
        goBack(record, troubles.unit, true);
        return;
      }
      record.decided = 'confirmed';
      keep(record);
    },
    goBack,
    giveUp(record, failure) {
      record.decided = 'rolling-back';
      setDefault(record, record.deployment.toplevel);
      finish(record, { kind: 'failed', failure });
    },
  };
}
