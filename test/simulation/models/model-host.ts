import type { HostRecord, ProbeReport, ProbeTarget } from '../../../shared/domain/contact.ts';
import type { Deployment } from '../../../shared/domain/deployment.ts';
import type { Failure } from '../../../shared/domain/errors.ts';
import type { Connection } from '../../../shared/domain/fleet.ts';
import type { DeploymentId, HostName, StorePath } from '../../../shared/domain/names.ts';
import { compareTokens } from '../../../shared/domain/token.ts';
import type { Random } from '../random.ts';
import type { Scheduler } from '../scheduler.ts';
import { driftOf, listProfile, tidyProfile } from './machine-profile.ts';
import type { GuardRecord, HostSabotage, HostWatch, Machine } from './machine.ts';
import { createGuard, type Started } from './model-guard.ts';
import { endAsTold } from './guard-failures.ts';
import type { Systems } from './systems.ts';

export interface ModelHost {
  readonly machine: Machine;
  /**
   * Which of the candidates it answers on, if it answers at all. `isOpen`: the connection is there already, and need not
   * be made.
   */
  answers(candidates: readonly Connection[], isOpen?: boolean): Connection | undefined;
  probe(target: ProbeTarget, incarnation: string): ProbeReport;
  receive(toplevel: StorePath): void;
  /** Whether the checks that come before an activation pass; what has begun is not judged by them. */
  isReady(id: DeploymentId): boolean;
  /** `ready`: no check that comes before it says no. */
  start(deployment: Deployment, ready: boolean): Started;
  look(id: DeploymentId): GuardRecord | undefined;
  acknowledge(id: DeploymentId): void;
  /** The worker found it unhealthy: the host is to roll back now. */
  refuse(id: DeploymentId, failure: Failure): void;
  cutPower(offMs: number): void;
  hang(ms: number): void;
  cutLink(ms: number): void;
  /** Somebody else switches its configuration for so long; 0: not any more. */
  holdSwitchLock(ms: number): void;
  /** Something is under way on it. */
  isBusy(): boolean;
  /** A person reboots it. */
  reboot(): void;
}

export interface ModelHostDeps {
  readonly name: HostName;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly systems: Systems;
  /** What it runs before Varve knows it. */
  readonly genesis: StorePath;
  readonly watch: HostWatch;
  readonly sabotage?: HostSabotage;
}

/** One machine with its disk, its boot loader, its link, and the guard's records. */
export function createModelHost(deps: ModelHostDeps): ModelHost {
  const { scheduler, systems } = deps;
  const { genesis } = deps;
  let boots = 1;
  const hungBefore = new Set<StorePath>();
  const machine: Machine = {
    name: deps.name,
    running: scheduler.spawn(deps.name),
    units: new Set(),
    bootId: `${deps.name}-boot-1`,
    current: genesis,
    booted: genesis,
    profile: genesis,
    profileGeneration: 1,
    generations: new Map([[1, genesis]]),
    bootDefault: genesis,
    bootOnce: undefined,
    chosen: undefined,
    hung: false,
    owner: undefined,
    highest: undefined,
    records: new Map(),
    store: new Set([genesis]),
    linkDownUntil: 0,
    switchLockedUntil: 0,
    brokenUnits: new Set(),
    quarantined: false,
    saidReady: new Set(),
  };
  const guard = createGuard({ ...deps, machine, restart: () => off(20_000) });

  function boot(): void {
    boots += 1;
    machine.running = scheduler.spawn(deps.name);
    machine.bootId = `${deps.name}-boot-${boots}`;
    const next = machine.bootOnce ?? machine.bootDefault;
    machine.bootOnce = undefined;
    if (machine.chosen !== next) machine.chosen = undefined;
    machine.current = next;
    machine.booted = next;
    machine.switchLockedUntil = 0;
    machine.hung = systems.find(next).quality === 'hangs-at-boot' && !hungBefore.has(next);
    hungBefore.add(next);
    if (machine.hung) {
      scheduler.after(machine.running, 300_000, `somebody switches ${deps.name} off and on`, () =>
        off(1_000),
      );
    } else {
      guard.booted();
    }
  }

  function off(ms: number): void {
    if (machine.running === undefined) return;
    scheduler.kill(machine.running);
    for (const unit of machine.units) scheduler.kill(unit);
    machine.units.clear();
    machine.running = undefined;
    scheduler.after(undefined, ms, `${deps.name} boots`, boot);
  }

  return {
    machine,
    answers(candidates, isOpen = false) {
      const { running, current } = machine;
      if (running?.state !== 'running' || machine.hung || scheduler.now() < machine.linkDownUntil)
        return undefined;
      const system = systems.find(current);
      if (system.quality === 'cuts-network') return undefined;
      if (system.quality === 'locks-out') return isOpen ? candidates[0] : undefined;
      return candidates.find((candidate) => candidate.port === system.port);
    },
    probe(target, incarnation) {
      guard.closeOldRecords();
      const { fence, adopt } = target;
      if (adopt !== undefined && (machine.owner === undefined || adopt.takeover)) machine.owner = adopt.owner;
      for (const id of target.acknowledged) {
        if (machine.records.get(id)?.end !== undefined) machine.records.delete(id);
      }
      // What is under way has its token; a fence is for what has not started.
      const raises =
        fence !== undefined && (machine.highest === undefined || compareTokens(fence, machine.highest) > 0);
      if (raises && guard.busyWith() === undefined) machine.highest = fence;
      if (guard.busyWith() === undefined) tidyProfile(machine, target);
      deps.watch.probed(machine, incarnation);
      return {
        current: machine.current,
        booted: machine.booted,
        profile: machine.profile,
        profileGeneration: machine.profileGeneration,
        bootDefault: machine.bootDefault,
        bootId: machine.bootId,
        failedUnits: guard.failedUnits(),
        restarting: [],
        newlyFailed: [],
        freeBytes: 1e9,
        locked: guard.busyWith() !== undefined || scheduler.now() < machine.switchLockedUntil,
        owner: machine.owner,
        highestToken: machine.highest,
        records: [...machine.records.values()].map(reported),
        nixVersion: '2.8',
        rooted: target.ask.filter((toplevel) => machine.store.has(toplevel)),
        rebootNeeded: needsReboot(machine, systems),
        generations: listProfile(machine, target),
        tidied: undefined,
        drift: driftOf(machine, target, guard.busyWith() !== undefined),
        collectedAgoMs: undefined,
      };
    },
    receive: (toplevel) => void machine.store.add(toplevel),
    isReady(id) {
      guard.closeOldRecords();
      const ready = machine.records.has(id) || !machine.quarantined;
      if (ready) machine.saidReady.add(id);
      return ready;
    },
    start: (deployment, ready) => guard.start(deployment, ready),
    look(id) {
      guard.closeOldRecords();
      return machine.records.get(id);
    },
    acknowledge: (id) => guard.acknowledge(id),
    refuse: (id, failure) => guard.refuse(id, failure),
    cutPower: off,
    hang(ms) {
      if (machine.running === undefined) return;
      scheduler.pause(machine.running, ms);
      for (const unit of machine.units) scheduler.pause(unit, ms);
    },
    cutLink(ms) {
      machine.linkDownUntil = Math.max(machine.linkDownUntil, scheduler.now() + ms);
    },
    holdSwitchLock(ms) {
      machine.switchLockedUntil = scheduler.now() + ms;
    },
    // What was under way when it was switched off is not, until somebody asks for it: but a reboot goes on.
    isBusy: () =>
      [...machine.records.values()].some(
        ({ end, bootId, deployment }) =>
          end === undefined && (bootId === machine.bootId || deployment.action === 'reboot'),
      ),
    reboot: () => off(20_000),
  };
}

/** Half of all systems have another kernel. */
function needsReboot(
  { booted, current, bootDefault }: Machine,
  systems: Systems,
): ProbeReport['rebootNeeded'] {
  const kernelOf = (toplevel: StorePath): number => systems.find(toplevel).kernel;
  const isSame = [current, bootDefault].every((toplevel) => kernelOf(toplevel) === kernelOf(booted));
  return isSame ? [] : ['kernel', 'initrd', 'kernel-modules'];
}

function reported(record: GuardRecord): HostRecord {
  return {
    deployment: record.deployment.id,
    token: record.deployment.token,
    toplevel: record.deployment.toplevel,
    previous: record.previous,
    bootId: record.bootId,
    // Nobody who saw the window reads this.
    end: record.end === undefined ? undefined : endAsTold(record.end, false),
  };
}
