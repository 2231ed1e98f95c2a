import type { LeaderView, SourceView, Status } from '../shared/contracts/api.ts';
import { closureDiff } from '../shared/domain/closure-diff.ts';
import { failureOf, FleetError } from '../shared/domain/errors.ts';
import { createMemory } from '../shared/domain/memory-keeper.ts';
import type { HostName, Revision, StorePath } from '../shared/domain/names.ts';
import type { Clock } from '../shared/platform/ports/clock.ts';
import type { Closures } from '../shared/platform/ports/closures.ts';
import type { Hints } from '../shared/platform/ports/hints.ts';
import type { Lease } from '../shared/platform/ports/lease.ts';
import type { Source } from '../shared/platform/ports/source.ts';
import type { FleetBackend } from './http/backend.ts';
import type { Controller } from './reconcile/leader.ts';
import { notLeading } from './reconcile/reconciler.ts';
import { notJudged } from './not-judged.ts';
import { createPeopleCommands } from './people/people.ts';
import { mustKnow } from './people/scope.ts';
import type { Reverter } from './source/revert.ts';
import { judgedObservation, type Activity, type ViewContext } from './views/context.ts';
import { fleetHistory, hostHistory, showDeployment, showRevision } from './views/history.ts';
import { gatesOf } from './views/gates.ts';
import { overridesNow, suspensionOf, wideHolds } from './views/people.ts';
import { rolloutOf } from './views/rollout.ts';
import { hostStatuses, planView, releaseView } from './views/status.ts';
import { why } from './views/why/why.ts';

export interface BackendDeps {
  readonly controller: Controller;
  readonly clock: Clock;
  readonly lease: Lease;
  readonly source: Source;
  readonly reverter: Reverter;
  readonly closures: Closures;
  readonly hints: Hints;
  readonly activity: (deployment: string) => Activity | undefined;
  readonly version: string;
  readonly name: string;
  /** As people are shown it: without credentials. */
  readonly repository: string;
  readonly ref: string;
}

/** The controller as the HTTP surface sees it. Reads answer from the last pass, commands from the ledger. */
export function createBackend(deps: BackendDeps): FleetBackend {
  const { controller, clock } = deps;
  let otherLeader: string | undefined;

  function context(): ViewContext {
    const reign = controller.reign();
    return {
      at: clock.now(),
      memory: reign?.memory ?? createMemory().memory,
      source: reign?.source ?? { kind: 'unseen' },
      last: reign?.last,
      activity: deps.activity,
    };
  }

  /** What only the leader knows: a standby says who to ask rather than that there is nothing. */
  function led(): ViewContext {
    if (controller.reign() === undefined) throw notLeading(otherLeader);
    return context();
  }

  /** What only a pass knows, which hosts there are included. @throws FleetError as long as none has ended */
  function judged(): ViewContext {
    const not = notJudged(controller.reign(), otherLeader);
    if (not !== undefined) throw not;
    return context();
  }

  async function leader(): Promise<LeaderView> {
    const reign = controller.reign();
    if (reign !== undefined) return { kind: 'self', address: deps.name, epoch: reign.term.epoch };
    try {
      otherLeader = (await deps.lease.holder())?.name;
    } catch {
      otherLeader = undefined;
    }
    return otherLeader === undefined || otherLeader === deps.name
      ? { kind: 'none' }
      : { kind: 'other', address: otherLeader };
  }

  function sourceView({ source }: ViewContext): SourceView {
    const base = { repository: deps.repository, ref: deps.ref };
    switch (source.kind) {
      case 'unseen':
        return { ...base, state: 'waiting' };
      case 'ok':
        return {
          ...base,
          state: 'ok',
          lastLookAt: source.at,
          lastSuccessAt: source.at,
          revision: source.revision,
        };
      case 'failing':
        return {
          ...base,
          state: 'failing',
          lastLookAt: source.at,
          lastSuccessAt: source.lastSuccessAt,
          failure: source.failure,
        };
    }
  }

  function released(host: HostName, revision: Revision): StorePath {
    const { memory } = context();
    const observation = memory.observations.findLast((each) => each.revision === revision);
    const key = observation === undefined ? undefined : memory.keys.get(observation.n);
    const toplevel = (key === undefined ? undefined : memory.releases.get(key))?.hosts.get(host)?.toplevel;
    if (toplevel === undefined) {
      throw new FleetError({
        code: 'NOT_FOUND',
        disposition: 'stalled',
        message: `no release of revision ${revision.slice(0, 12)} is known for ${host}`,
        hint: 'only revisions that were observed and evaluated can be compared; `varve history` lists them',
      });
    }
    return toplevel;
  }

  async function closure(toplevel: StorePath): Promise<NonNullable<Awaited<ReturnType<Closures['get']>>>> {
    const paths = await deps.closures.get(toplevel);
    if (paths === undefined) {
      throw new FleetError({
        code: 'NOT_FOUND',
        disposition: 'stalled',
        message: `what ${toplevel} consists of is not known (any more)`,
        hint: 'it is written down when a closure is delivered, and kept for 90 days',
      });
    }
    return paths;
  }

  return {
    ...createPeopleCommands({ controller, reverter: deps.reverter, led, ref: deps.ref }),
    leadership: () =>
      controller.reign() === undefined ? { kind: 'standby', leader: otherLeader } : { kind: 'leading' },
    async readiness() {
      const reign = controller.reign();
      if (reign === undefined) {
        const { kind } = await leader();
        return kind === 'other'
          ? { ready: true, reasons: [] }
          : { ready: false, reasons: ['no controller leads yet'] };
      }
      return reign.last === undefined
        ? { ready: false, reasons: ['the first pass has not ended yet'] }
        : { ready: true, reasons: [] };
    },
    async status(): Promise<Status> {
      const now = context();
      const newest = judgedObservation(now);
      const leading = await leader();
      const not = notJudged(controller.reign(), otherLeader);
      return {
        at: now.at,
        version: deps.version,
        owner: now.memory.owner,
        leader: leading,
        notJudged: not && failureOf(not),
        source: sourceView(now),
        observation: newest,
        release: releaseView(now, newest?.n),
        suspended: suspensionOf(now),
        holds: wideHolds(now),
        overrides: overridesNow(now),
        rollout: rolloutOf(now),
        gates: gatesOf(now),
        hosts: hostStatuses(now),
      };
    },
    plan: async () => planView(judged()),
    why: async (host) => why(judged(), host),
    fleetHistory: async (limit) => fleetHistory(led(), limit),
    hostHistory: async (host, limit) => hostHistory(led(), host, limit),
    showDeployment: async (id) => showDeployment(led(), id),
    showRevision: async (revision) => showRevision(led(), revision),
    async diff(host, from, to) {
      mustKnow(led(), host);
      const [before, after] = [released(host, from), released(host, to)];
      const [old, fresh] = [await closure(before), await closure(after)];
      const size = (paths: typeof old): number => paths.reduce((sum, { narSize }) => sum + narSize, 0);
      const changes = closureDiff(old, fresh);
      const shown = (packages: typeof changes.added) =>
        packages.map(({ name, before: was, after: is, bytes }) => ({ name, from: was, to: is, bytes }));
      return {
        host,
        from: { revision: from, toplevel: before, bytes: size(old), paths: old.length },
        to: { revision: to, toplevel: after, bytes: size(fresh), paths: fresh.length },
        identical: before === after,
        added: shown(changes.added),
        removed: shown(changes.removed),
        changed: shown(changes.changed),
      };
    },
    async sync({ cause }) {
      if (controller.reign() !== undefined) return controller.look();
      // A forge does not know who leads: whoever is told passes it on. A person is told where to go.
      if (cause === 'command') throw notLeading(otherLeader);
      await deps.hints.tell();
    },
    async probe() {
      return controller.probe();
    },
    pack: (tree) => deps.source.pack(tree),
  };
}
