import type { StorePath } from '../../../shared/domain/names.ts';
import type { Scheduler, SimProcess } from '../scheduler.ts';
import type { GuardRecord, HostWatch, Machine } from './machine.ts';
import { restoreProfile, setProfile } from './machine-profile.ts';
import type { Systems } from './systems.ts';

/** What changes a machine's system on behalf of a deployment. */
export interface MachineSystem {
  failedUnits(): readonly string[];
  run(record: GuardRecord, toplevel: StorePath): void;
  setProfile(toplevel: StorePath): void;
  /** Profile, then boot default; false if the boot loader cannot be set. */
  setDefault(record: GuardRecord, process: SimProcess): Promise<boolean>;
  /** Back to the recorded profile generation. */
  restoreDefault(record: GuardRecord): void;
}

export function createMachineSystem(deps: {
  readonly machine: Machine;
  readonly scheduler: Scheduler;
  readonly systems: Systems;
  readonly watch: HostWatch;
}): MachineSystem {
  const { machine, scheduler, systems, watch } = deps;

  return {
    failedUnits() {
      const own = systems.find(machine.current).quality === 'fails-unit' ? ['fault.service'] : [];
      return [...machine.brokenUnits, ...own];
    },
    run(record, toplevel) {
      machine.current = toplevel;
      watch.changed(machine, record.deployment, toplevel);
    },
    setProfile: (toplevel) => setProfile(machine, toplevel),
    async setDefault(record, process) {
      const { toplevel } = record.deployment;
      record.touchedDefault = true;
      setProfile(machine, toplevel);
      await scheduler.pass(process, 'has set the profile');
      if (systems.find(toplevel).quality === 'boot-loader-fails') return false;
      machine.bootDefault = toplevel;
      watch.changed(machine, record.deployment, toplevel);
      await scheduler.pass(process, 'has set the boot default');
      return true;
    },
    restoreDefault(record) {
      restoreProfile(machine, record.profileGeneration, record.profile);
      machine.bootDefault = record.profile;
    },
  };
}
