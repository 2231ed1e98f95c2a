import type { Deployment } from '../../../shared/domain/deployment.ts';
import { FleetError, failureOf, type Failure } from '../../../shared/domain/errors.ts';
import type { Connection } from '../../../shared/domain/fleet.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import type { FaultPoint } from '../../../shared/platform/ports/faults.ts';
import type { ReleasedHost } from '../../../shared/domain/observation.ts';
import type { ActivateOutcome, Steps } from '../../../shared/platform/ports/steps.ts';
import type { Faults } from '../faults.ts';
import type { Random } from '../random.ts';
import type { Scheduler, SimProcess } from '../scheduler.ts';
import { createWitness } from '../../../worker/activate/witness.ts';
import { endAsTold } from './guard-failures.ts';
import type { ModelHost } from './model-host.ts';
import type { Repository } from './model-source.ts';
import type { Systems } from './systems.ts';
import type { GuardRecord } from './machine.ts';

export interface ModelStepsDeps {
  readonly process: SimProcess;
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly random: Random;
  readonly repository: Repository;
  readonly systems: Systems;
  readonly hosts: ReadonlyMap<HostName, ModelHost>;
  readonly faultPoint: FaultPoint;
}

/** How long a worker waits for an answer of a host; in a confirmation window, where several tries say more, less. */
const answerMs = 10_000;
const confirmAnswerMs = 5_000;
/** What proves that a host is reachable: a connection that was not there before. */
const fresh = { patienceMs: confirmAnswerMs, isOpen: false };
/** How often a host is tried before anything is known to have been started there. */
const firstTries = 3;

function failure(code: Failure['code'], disposition: Failure['disposition'], message: string): Failure {
  return { code, disposition, message };
}

/** What workers do, on hosts and messages that the simulation makes up. */
export function createModelSteps(deps: ModelStepsDeps): Steps {
  const { process, scheduler, faults, random, repository, systems } = deps;
  const clock = scheduler.clock(process);

  function unreachable(host: string): FleetError {
    return new FleetError({
      code: 'HOST_UNREACHABLE',
      disposition: 'transient',
      message: `${host} does not answer`,
    });
  }

  /** One request and its reply. Either may be lost; a late request arrives although its sender may be gone by then. */
  async function exchange<Value>(
    name: HostName,
    candidates: readonly Connection[],
    what: string,
    effect: (host: ModelHost, connection: Connection) => Value,
    { patienceMs = answerMs, isOpen = false }: { patienceMs?: number; isOpen?: boolean } = {},
  ): Promise<Value> {
    await scheduler.pass(process, `to ${name}: ${what}`);
    const host = deps.hosts.get(name);
    if (host === undefined) throw unreachable(name);
    if (faults.strikes('message-lost', 0.02)) {
      scheduler.note(`  the request is lost: ${what}`);
      await clock.sleep(answerMs);
      throw unreachable(name);
    }
    if (faults.strikes('message-late', 0.02)) {
      const ms = random.int(90_000);
      scheduler.note(`  the request will be ${ms} ms late: ${what}`);
      scheduler.after(undefined, ms, `a late message arrives at ${name}: ${what}`, () => {
        const connection = host.answers(candidates);
        if (connection !== undefined) effect(host, connection);
      });
      await clock.sleep(answerMs);
      throw unreachable(name);
    }
    // Its sender may be gone when it arrives.
    if (faults.strikes('message-overtaken', 0.02)) {
      const ms = random.int(5_000);
      scheduler.note(`  the request takes ${ms} ms, and others overtake it: ${what}`);
      await new Promise<void>((resolve) => {
        scheduler.after(undefined, ms, `a slow message arrives at ${name}: ${what}`, resolve);
      });
    }
    const connection = host.answers(candidates, isOpen);
    if (connection === undefined) {
      await clock.sleep(random.int(patienceMs));
      throw unreachable(name);
    }
    const value = effect(host, connection);
    if (faults.strikes('message-lost', 0.02)) {
      scheduler.note(`  the reply is lost: ${what}`);
      await clock.sleep(answerMs);
      throw unreachable(name);
    }
    return value;
  }

  async function deliver(deployment: Deployment): ReturnType<Steps['deliver']> {
    const began = clock.now();
    const system = systems.find(deployment.toplevel);
    if (deployment.knownBad.includes(system.drvPath)) {
      return { kind: 'failed', failure: failure('BUILD_FAILED', 'stalled', 'its build is known to fail') };
    }
    await clock.sleep(random.int(3_000));
    if (faults.strikes('step-fails', 0.05)) {
      return { kind: 'failed', failure: failure('DISK_FULL', 'transient', 'no space left on the worker') };
    }
    const candidates = deployment.known.length > 0 ? deployment.known : [deployment.next];
    try {
      const there = await exchange(deployment.host, candidates, `has it ${deployment.id}?`, (host) =>
        host.machine.store.has(deployment.toplevel),
      );
      if (!there) {
        if (system.quality === 'build-fails') {
          return { kind: 'failed', failure: failure('BUILD_FAILED', 'stalled', 'the builder exited with 1') };
        }
        await clock.sleep(random.int(10_000));
        await exchange(deployment.host, candidates, `push for ${deployment.id}`, (host) =>
          host.receive(deployment.toplevel),
        );
      }
      const count = there ? 0 : 1;
      return {
        kind: 'delivered',
        delivery: { builds: count, pushedPaths: count, pushedBytes: count, durationMs: clock.now() - began },
      };
    } catch (thrown) {
      return { kind: 'failed', failure: failureOf(thrown) };
    }
  }

  async function activate(
    deployment: Deployment,
    onEvent: Parameters<Steps['activate']>[2],
    signal: AbortSignal,
  ): Promise<ActivateOutcome> {
    const { id, host: name, timeouts } = deployment;
    const deadline =
      clock.now() +
      3 * timeouts.activationMs +
      timeouts.confirmMs +
      30_000 +
      2 * (deployment.reboot?.deadlineMs ?? 0);
    const both = [deployment.next, ...deployment.known];
    let candidates: readonly Connection[] = deployment.known.length > 0 ? deployment.known : both;
    const told = { switched: false, goesBack: false };
    const witness = createWitness();
    let started = false;
    /** The connection over which it was started, as long as nothing has broken it. */
    let isOpen = false;
    let switchedAt: number | undefined;
    let wentDownAt: number | undefined;

    function isWitnessed(): boolean {
      if (deployment.reboot === undefined) {
        return switchedAt !== undefined && witness.covers(switchedAt, switchedAt + timeouts.confirmMs);
      }
      const now = clock.now();
      if (wentDownAt === undefined || now - wentDownAt < deployment.reboot.deadlineMs * 0.75) return false;
      return witness.covers(wentDownAt, now);
    }

    async function tell({ switchedAt: at, previous, goesBack }: GuardRecord): Promise<void> {
      if (at !== undefined && !told.switched) {
        told.switched = true;
        switchedAt = at;
        await onEvent({ kind: 'switched', previous });
      }
      if (goesBack !== undefined && !told.goesBack) {
        told.goesBack = true;
        await onEvent({ kind: 'roll-back-started', failure: goesBack });
      }
    }

    await deps.faultPoint('before-guard-send');
    for (let tries = 1; clock.now() < deadline && !signal.aborted; tries += 1) {
      let began = clock.now();
      const contact = { tried: false, made: false };
      try {
        if (!started) {
          const ready = await isReady(deployment, candidates);
          const answer = await exchange(name, candidates, `start ${id}`, (host) =>
            host.start(deployment, ready),
          );
          await deps.faultPoint('after-guard-send');
          if (answer.kind === 'refused') return { kind: 'refused', failure: answer.failure };
          started = true;
          // It may be down before anybody looks.
          wentDownAt = clock.now();
        }
        const look = (host: ModelHost) => snapshot(host.look(id));
        const seen = await exchange(name, both, `look at ${id}`, look, { isOpen });
        isOpen = true;
        if (seen === undefined) return unknown('the host has no record of it');
        await tell(seen);
        if (seen.end !== undefined) {
          return { kind: 'ended', end: endAsTold(seen.end, isWitnessed()), previous: seen.previous };
        }
        began = clock.now();
        if (seen.switchedAt !== undefined && seen.decided === undefined) await confirm(deployment, contact);
      } catch (thrown) {
        if (!(thrown instanceof FleetError) || thrown.code !== 'HOST_UNREACHABLE') throw thrown;
        isOpen &&= contact.tried;
        if (!contact.made) witness.triedInVain(began, clock.now());
        if (!started && tries >= firstTries) return unknown('the host does not answer');
        // The request may have arrived all the same, and the host may answer in another place by now.
        candidates = both;
      }
      await clock.sleep(500 + random.int(1_000), signal);
    }
    return unknown('the host did not say how it ended in time');
  }

  async function isReady({ id, host: name, checks }: Deployment, candidates: readonly Connection[]) {
    if (!checks.some((check) => check.before)) return true;
    return exchange(name, candidates, `is it ready for ${id}?`, (host) => host.isReady(id));
  }

  /** `contact.made`: it arrived, whatever came of the reply. */
  async function confirm(deployment: Deployment, contact: { tried: boolean; made: boolean }): Promise<void> {
    const { id, host: name } = deployment;
    contact.tried = true;
    const arrive = (effect: (host: ModelHost) => void) => (host: ModelHost) => {
      contact.made = true;
      effect(host);
    };
    if (systems.find(deployment.toplevel).quality === 'unhealthy') {
      const unhealthy = failure('CHECK_FAILED', 'stalled', 'a unit failed');
      const refuse = arrive((host) => host.refuse(id, unhealthy));
      await exchange(name, [deployment.next], `refuse ${id}`, refuse, fresh);
      return;
    }
    await deps.faultPoint('before-acknowledge');
    const acknowledge = arrive((host) => host.acknowledge(id));
    await exchange(name, [deployment.next], `acknowledge ${id}`, acknowledge, fresh);
    await deps.faultPoint('after-acknowledge');
  }

  function unknown(message: string): ActivateOutcome {
    return { kind: 'unknown', failure: failure('OUTCOME_UNKNOWN', 'transient', message) };
  }

  return {
    async evaluate(request) {
      await scheduler.pass(process, `evaluate ${request.key.slice(0, 8)}`);
      const began = clock.now();
      await clock.sleep(random.int(8_000));
      const durationMs = clock.now() - began;
      if (faults.strikes('step-fails', 0.1)) {
        const transient = failure('EVALUATION_LIMIT', 'transient', 'out of memory');
        return { kind: 'failed', failure: transient, durationMs };
      }
      const content = repository.tree(request.tree);
      if (content === undefined || !content.evaluates) {
        return {
          kind: 'failed',
          failure: failure('EVALUATION_FAILED', 'stalled', 'a typing error'),
          durationMs,
        };
      }
      const hosts = new Map<HostName, ReleasedHost>();
      for (const [name, one] of content.hosts) {
        if (request.hosts !== 'all' && !request.hosts.has(name)) continue;
        const { drvPath, toplevel } = systems.of(name, one);
        hosts.set(name, { drvPath, toplevel });
      }
      return { kind: 'complete', release: { key: request.key, tree: request.tree, hosts }, durationMs };
    },
    deliver: (deployment) => deliver(deployment),
    activate: (deployment, context, onEvent) => activate(deployment, onEvent, context.signal),
    async probe(target, incarnation) {
      const { host, askedAt } = target;
      try {
        const reached = await exchange(host, target.connections, 'probe', (machine, connection) => ({
          connection,
          report: machine.probe(target, incarnation),
          ...(target.ready === undefined
            ? {}
            : { readiness: { problem: machine.machine.quarantined ? 'it is quarantined' : undefined } }),
        }));
        return { kind: 'reached', host, incarnation, askedAt, at: clock.now(), ...reached, checks: [] };
      } catch (thrown) {
        const at = clock.now();
        return {
          kind: 'unreachable',
          host,
          incarnation,
          askedAt,
          at,
          since: at,
          attempts: 1,
          failure: failureOf(thrown),
        };
      }
    },
  };
}

function snapshot(record: GuardRecord | undefined): Readonly<GuardRecord> | undefined {
  return record === undefined ? undefined : { ...record };
}
