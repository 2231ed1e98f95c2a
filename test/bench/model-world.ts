import { isTerminal, type Deployment } from '../../shared/domain/deployment.ts';
import type { HostContact, HostRecord, ProbeTarget } from '../../shared/domain/contact.ts';
import type { DeploymentId, HostName, StorePath } from '../../shared/domain/names.ts';
import type { Release } from '../../shared/domain/observation.ts';
import type { Token } from '../../shared/domain/token.ts';
import { transition, type WorkerEvent } from '../../shared/domain/transition.ts';
import type { DeploymentStore, EvaluationState, Term } from '../../shared/platform/ports/deployment-store.ts';
import { jobId, type Job, type JobQueue } from '../../shared/platform/ports/job-queue.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import { connection, owner, running } from '../support/builders.ts';

/** A store, a queue, workers and hosts in memory, in virtual time: as lean as they can be, and without any trouble. */
export interface ModelWorld {
  readonly clock: Clock;
  readonly store: DeploymentStore;
  readonly queue: JobQueue;
  /** Lets one tick of time pass, with all that ends in it. True: something was written that the leader is told of. */
  tick(): boolean;
  /** How often a worker wrote something. */
  events(): number;
}

interface ModelHost {
  current: StorePath;
  highest: Token | undefined;
  record: HostRecord | undefined;
}

/** All that happens within one is seen by one pass. */
export const tickMs = 250;
/** How long things take; each job a little longer or shorter than the one before. */
const takes = { probe: 500, evaluate: 2_000, deliver: 2_000, switch: 4_000, confirm: 1_000 };
const written = { kind: 'written' } as const;
const gone = { kind: 'gone' } as const;

export function createModelWorld(
  term: Term,
  running: ReadonlyMap<HostName, StorePath>,
  released: Release,
): ModelWorld {
  let now = Date.UTC(2030, 0, 1);
  let events = 0;
  let changed = false;
  let jobs = 0;
  const due = new Map<number, (() => void)[]>();
  const deployments = new Map<DeploymentId, Deployment>();
  const targets = new Map<HostName, ProbeTarget>();
  const contacts = new Map<HostName, HostContact>();
  const evaluations = new Map<string, EvaluationState>();
  const pending = new Set<string>();
  const hosts = new Map<HostName, ModelHost>(
    [...running].map(([name, current]) => [name, { current, highest: undefined, record: undefined }]),
  );

  function after(ms: number, act: () => void): void {
    const at = now + Math.max(tickMs, Math.ceil(ms / tickMs) * tickMs);
    const acts = due.get(at);
    if (acts === undefined) due.set(at, [act]);
    else acts.push(act);
  }

  /** From half of the usual time to one and a half, so that hosts do not march in step. */
  function about(ms: number): number {
    jobs += 1;
    return ms / 2 + (ms * (jobs % 16)) / 16;
  }

  function wrote(): void {
    events += 1;
    changed = true;
  }

  function advance(id: DeploymentId, event: WorkerEvent): Deployment | undefined {
    const before = deployments.get(id);
    if (before === undefined) return undefined;
    const moved = transition(before, event, now);
    if (moved.kind === 'refused') return undefined;
    deployments.set(id, moved.deployment);
    wrote();
    return moved.deployment;
  }

  function probe(name: HostName): void {
    const target = targets.get(name);
    const host = hosts.get(name);
    if (target === undefined || host === undefined) return;
    if (host.record !== undefined && target.acknowledged.includes(host.record.deployment)) {
      host.record = undefined;
    }
    contacts.set(name, {
      kind: 'reached',
      host: name,
      incarnation: term.incarnation,
      askedAt: target.askedAt,
      at: now,
      connection,
      report: reportOf(host),
      checks: [],
    });
    wrote();
  }

  function deliver(id: DeploymentId, end: () => void): void {
    if (advance(id, { kind: 'deliver-started' }) === undefined) return end();
    after(about(takes.deliver), () => {
      advance(id, {
        kind: 'delivered',
        delivery: { builds: 1, pushedPaths: 1, pushedBytes: 1, durationMs: takes.deliver },
      });
      end();
    });
  }

  function activate(id: DeploymentId, end: () => void): void {
    const begun = advance(id, { kind: 'activate-started' });
    const host = begun === undefined ? undefined : hosts.get(begun.host);
    if (begun === undefined || host === undefined) return end();
    const { token, toplevel } = begun;
    const previous = host.current;
    host.highest = token;
    host.record = { deployment: id, token, toplevel, previous, bootId: 'boot-1', end: undefined };
    after(about(takes.switch), () => {
      host.current = toplevel;
      advance(id, { kind: 'switched', previous });
      after(about(takes.confirm), () => {
        host.record = {
          deployment: id,
          token,
          toplevel,
          previous,
          bootId: 'boot-1',
          end: { kind: 'succeeded' },
        };
        advance(id, { kind: 'ended', end: { kind: 'succeeded' }, previous });
        end();
      });
    });
  }

  function evaluate(key: string): void {
    const asked = evaluations.get(key);
    if (asked === undefined) return;
    const release: Release = { ...released, key, tree: asked.request.tree };
    const durationMs = takes.evaluate;
    evaluations.set(key, { ...asked, outcome: { kind: 'complete', release, durationMs } });
    wrote();
  }

  function work(job: Job, end: () => void): void {
    switch (job.step) {
      case 'probe':
        return after(about(takes.probe), () => {
          probe(job.host);
          end();
        });
      case 'evaluate':
        return after(about(takes.evaluate), () => {
          evaluate(job.key);
          end();
        });
      case 'deliver':
        return after(tickMs, () => deliver(job.deployment, end));
      case 'activate':
        return after(tickMs, () => activate(job.deployment, end));
    }
  }

  return {
    clock: { now: () => now, sleep: () => Promise.reject(new Error('nothing sleeps in a pass')) },
    events: () => events,
    tick() {
      now += tickMs;
      changed = false;
      const acts = due.get(now) ?? [];
      due.delete(now);
      for (const act of acts) act();
      return changed;
    },
    queue: {
      async enqueue(job) {
        const id = jobId(job);
        pending.add(id);
        work(job, () => pending.delete(id));
      },
      pending: async () => new Set(pending),
      consume: async () => {},
      close: async () => {},
    },
    store: {
      term: async () => term,
      begin: async () => true,
      async create(_, deployment) {
        deployments.set(deployment.id, deployment);
        return written;
      },
      async get(id) {
        const deployment = deployments.get(id);
        return deployment === undefined ? undefined : { term, deployment };
      },
      list: async () => [...deployments.values()],
      async compareAndSet(_, next) {
        const before = deployments.get(next.id);
        if (before === undefined) return gone;
        if (before.version !== next.version - 1) return { kind: 'conflict' };
        deployments.set(next.id, next);
        return written;
      },
      async remove(_, id) {
        const before = deployments.get(id);
        if (before === undefined || !isTerminal(before)) return gone;
        deployments.delete(id);
        return written;
      },
      async setTargets(_, list) {
        for (const target of list) targets.set(target.host, target);
        return written;
      },
      async target(host) {
        const target = targets.get(host);
        return target === undefined ? undefined : { term, target };
      },
      putContact: async () => gone,
      contacts: async () => [...contacts.values()],
      async askEvaluation(_, request) {
        if (!evaluations.has(request.key)) evaluations.set(request.key, { request, outcome: undefined });
        return written;
      },
      evaluation: async (key) => evaluations.get(key),
      evaluations: async () => [...evaluations.values()],
      putEvaluation: async () => gone,
      removeEvaluation: async (key) => void evaluations.delete(key),
      onChange: async () => async () => {},
    },
  };
}

function reportOf({
  current,
  highest,
  record,
}: ModelHost): Extract<HostContact, { kind: 'reached' }>['report'] {
  const records = record === undefined ? [] : [record];
  return running(current, { owner, highestToken: highest, records });
}
