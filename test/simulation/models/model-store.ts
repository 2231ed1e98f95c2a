import type { HostContact, ProbeTarget } from '../../../shared/domain/contact.ts';
import { isTerminal, type Deployment } from '../../../shared/domain/deployment.ts';
import type { DeploymentId, HostName } from '../../../shared/domain/names.ts';
import type { ReleaseKey } from '../../../shared/domain/observation.ts';
import type {
  DeploymentStore,
  EvaluationState,
  Term,
  Written,
} from '../../../shared/platform/ports/deployment-store.ts';
import type { Faults } from '../faults.ts';
import type { Scheduler, SimProcess } from '../scheduler.ts';
import type { RedisServer } from './redis-server.ts';

/** What the invariants want to know about the store, told at the moment it happens. */
export interface StoreWatch {
  /** `undefined`: the life ended with its server. */
  begun(term: Term | undefined): void;
  written(term: Term, next: Deployment, before: Deployment | undefined): void;
  contacted(contact: HostContact): void;
}

export interface StoreState {
  readonly term: Term | undefined;
  /** The highest epoch that ever began here: kept when a restart ends the life. */
  readonly floor: number;
  readonly deployments: ReadonlyMap<DeploymentId, Deployment>;
  readonly targets: ReadonlyMap<HostName, { readonly term: Term; readonly target: ProbeTarget }>;
  readonly contacts: ReadonlyMap<HostName, HostContact>;
  readonly evaluations: ReadonlyMap<ReleaseKey, EvaluationState>;
}

const empty: StoreState = {
  term: undefined,
  floor: 0,
  deployments: new Map(),
  targets: new Map(),
  contacts: new Map(),
  evaluations: new Map(),
};

export interface StoreServer {
  /** The store as one process sees it. */
  connect(process: SimProcess): DeploymentStore;
  /** A restart that lost the writes of the last moments; the life of the store ends with it. */
  rewind(ms: number): void;
  /** Ground truth, for the checks. */
  state(): StoreState;
}

export interface StoreServerDeps {
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly redis: RedisServer;
  readonly watch: StoreWatch;
  /** Switches rules off, to show that the checks notice. */
  readonly sabotage?: { readonly ignoresTerm?: boolean; readonly ignoresVersion?: boolean };
}

const written: Written = { kind: 'written' };
const conflict: Written = { kind: 'conflict' };
const otherTerm: Written = { kind: 'other-term' };
const gone: Written = { kind: 'gone' };

function sameTerm(a: Term | undefined, b: Term): boolean {
  return a !== undefined && a.epoch === b.epoch && a.incarnation === b.incarnation;
}

function withEntry<Key, Value>(map: ReadonlyMap<Key, Value>, key: Key, value: Value): Map<Key, Value> {
  return new Map(map).set(key, value);
}

function without<Key, Value>(map: ReadonlyMap<Key, Value>, key: Key): Map<Key, Value> {
  const next = new Map(map);
  next.delete(key);
  return next;
}

/** The deployment store in the memory of the simulation. */
export function createStoreServer(deps: StoreServerDeps): StoreServer {
  const { scheduler, faults, redis, watch } = deps;
  let state = empty;
  let past: { readonly at: number; readonly state: StoreState }[] = [];
  const listeners = new Map<() => void, { readonly process: SimProcess; due: boolean }>();

  redis.onLose(() => {
    state = empty;
    past = [];
    watch.begun(undefined);
  });
  redis.onBack(notify);

  function set(next: StoreState): void {
    past.push({ at: scheduler.now(), state });
    if (past.length > 64) past.shift();
    state = next;
    notify();
  }

  function notify(): void {
    for (const [callback, listener] of listeners) {
      if (listener.process.state === 'dead') listeners.delete(callback);
      if (listener.due || faults.strikes('notice-lost', 0.05)) continue;
      listener.due = true;
      scheduler.after(listener.process, 5, `${listener.process.name} hears of a change`, () => {
        listener.due = false;
        if (listeners.has(callback)) callback();
      });
    }
  }

  function inTerm(term: Term): boolean {
    return deps.sabotage?.ignoresTerm === true || sameTerm(state.term, term);
  }

  function create(term: Term, deployment: Deployment): Written {
    if (!inTerm(term)) return otherTerm;
    if (state.deployments.has(deployment.id)) return conflict;
    for (const other of state.deployments.values()) {
      if (other.host === deployment.host && !isTerminal(other)) return conflict;
    }
    set({ ...state, deployments: withEntry(state.deployments, deployment.id, deployment) });
    watch.written(term, deployment, undefined);
    return written;
  }

  function compareAndSet(term: Term, next: Deployment): Written {
    if (!inTerm(term)) return otherTerm;
    const before = state.deployments.get(next.id);
    if (before === undefined) return gone;
    if (before.version !== next.version - 1 && deps.sabotage?.ignoresVersion !== true) return conflict;
    set({ ...state, deployments: withEntry(state.deployments, next.id, next) });
    watch.written(term, next, before);
    return written;
  }

  function remove(term: Term, id: DeploymentId): Written {
    if (!inTerm(term)) return otherTerm;
    const found = state.deployments.get(id);
    if (found === undefined) return gone;
    if (!isTerminal(found)) return conflict;
    set({ ...state, deployments: without(state.deployments, id) });
    return written;
  }

  function putContact(term: Term, contact: HostContact): Written {
    if (!inTerm(term) || contact.incarnation !== term.incarnation) return otherTerm;
    const before = state.contacts.get(contact.host);
    if (before !== undefined && isNewer(before, contact)) return conflict;
    set({ ...state, contacts: withEntry(state.contacts, contact.host, contact) });
    watch.contacted(contact);
    return written;
  }

  function connect(process: SimProcess): DeploymentStore {
    const call = <Value>(what: string, effect: () => Value): Promise<Value> =>
      redis.call(process, `store ${what}`, effect);
    return {
      term: () => call('term', () => state.term),
      begin: (term) =>
        call(`begins epoch ${term.epoch}`, () => {
          // The present leader may begin again after a restart, an older one may not.
          if (state.term === undefined ? term.epoch < state.floor : term.epoch <= state.floor) return false;
          set({ ...state, term, floor: term.epoch, contacts: new Map(), targets: new Map() });
          watch.begun(term);
          return true;
        }),
      create: (term, deployment) =>
        call(`create ${deployment.id} for ${deployment.host} of ${deployment.observation}`, () =>
          create(term, deployment),
        ),
      get: (id) =>
        call(`get ${id}`, () => {
          const deployment = state.deployments.get(id);
          return deployment === undefined || state.term === undefined
            ? undefined
            : { term: state.term, deployment };
        }),
      list: () => call('list', () => [...state.deployments.values()]),
      compareAndSet: (term, next) =>
        call(`set ${next.id} of ${next.host} to ${next.phase}`, () => compareAndSet(term, next)),
      remove: (term, id) => call(`remove ${id}`, () => remove(term, id)),
      setTargets: (term, targets) =>
        call('set targets', () => {
          if (!inTerm(term)) return otherTerm;
          if (targets.length === 0) return written;
          const next = new Map(state.targets);
          for (const target of targets) next.set(target.host, { term, target });
          set({ ...state, targets: next });
          return written;
        }),
      target: (host) => call(`target ${host}`, () => state.targets.get(host)),
      putContact: (term, contact) =>
        call(`put contact of ${contact.host}: ${contact.kind}`, () => putContact(term, contact)),
      contacts: () => call('contacts', () => [...state.contacts.values()]),
      askEvaluation: (term, request) =>
        call(`ask evaluation ${request.key.slice(0, 8)}`, () => {
          if (!inTerm(term)) return otherTerm;
          if (!state.evaluations.has(request.key)) {
            const asked: EvaluationState = { request, outcome: undefined };
            set({ ...state, evaluations: withEntry(state.evaluations, request.key, asked) });
          }
          return written;
        }),
      evaluation: (key) => call(`evaluation ${key.slice(0, 8)}`, () => state.evaluations.get(key)),
      evaluations: () => call('evaluations', () => [...state.evaluations.values()]),
      putEvaluation: (key, outcome) =>
        call(`put evaluation ${key.slice(0, 8)}: ${outcome.kind}`, () => {
          const asked = state.evaluations.get(key);
          if (asked === undefined) return gone;
          if (asked.outcome !== undefined) return conflict;
          const answered: EvaluationState = { request: asked.request, outcome };
          set({ ...state, evaluations: withEntry(state.evaluations, key, answered) });
          return written;
        }),
      removeEvaluation: (key) =>
        call(`remove evaluation ${key.slice(0, 8)}`, () => {
          if (state.evaluations.has(key)) {
            set({ ...state, evaluations: without(state.evaluations, key) });
          }
        }),
      async onChange(callback) {
        await call('listen', () => {
          listeners.set(callback, { process, due: false });
        });
        return async () => {
          listeners.delete(callback);
        };
      },
    };
  }

  return {
    connect,
    rewind(ms) {
      const since = scheduler.now() - ms;
      const then = past.find((entry) => entry.at > since)?.state ?? state;
      past = [];
      state = { ...then, term: undefined, contacts: new Map() };
      watch.begun(undefined);
    },
    state: () => state,
  };
}

/** By the leader's clock first: workers' clocks may differ from each other. */
function isNewer(a: HostContact, b: HostContact): boolean {
  return a.askedAt > b.askedAt || (a.askedAt === b.askedAt && a.at > b.at);
}
