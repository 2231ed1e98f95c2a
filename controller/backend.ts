import type { CommandDone } from '../shared/contracts/api-commands.ts';
import type { LeaderView, SourceView, Status } from '../shared/contracts/api.ts';
import { closureDiff } from '../shared/domain/closure-diff.ts';
import type { Systems } from '../shared/domain/contact.ts';
import { FleetError } from '../shared/domain/errors.ts';
import type { Fact } from '../shared/domain/facts.ts';
import { createMemory } from '../shared/domain/memory.ts';
import type { HostName, Revision, StorePath } from '../shared/domain/names.ts';
import type { Clock } from '../shared/platform/ports/clock.ts';
import type { Closures } from '../shared/platform/ports/closures.ts';
import type { Hints } from '../shared/platform/ports/hints.ts';
import type { Lease } from '../shared/platform/ports/lease.ts';
import type { Source } from '../shared/platform/ports/source.ts';
import type { FleetBackend } from './http/backend.ts';
import type { Controller } from './reconcile/leader.ts';
import { notLeading } from './reconcile/reconciler.ts';
import type { Reverter } from './source/revert.ts';
import { judgedObservation, type Activity, type ViewContext } from './views/context.ts';
import { fleetHistory, hostHistory, showDeployment, showRevision } from './views/history.ts';
import { hostStatuses, planView, releaseView } from './views/status.ts';
import { noSuchHost, why } from './views/why.ts';

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

  async function command(fact: Fact, message: string): Promise<CommandDone> {
    await controller.command([fact]);
    return { done: true, at: fact.at, message };
  }

  /** Commands name hosts of the fleet: a typing error must not sit in the ledger for ever. */
  function known(host: HostName): void {
    const { memory, last } = context();
    const planned = last?.verdicts.some((verdict) => verdict.host === host) ?? false;
    if (!planned && !memory.hosts.has(host)) throw noSuchHost(host);
  }

  /** The drift of a host that people were shown. */
  function shownDrift(host: HostName): Systems | undefined {
    const { last } = context();
    const contact = last?.snapshot.contacts.get(host);
    const drifted = last?.verdicts.some((each) => each.host === host && each.code === 'DRIFTED') ?? false;
    if (!drifted || contact?.kind !== 'reached') return undefined;
    const { current, profile, bootDefault } = contact.report;
    return { current, profile, bootDefault };
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
      return {
        at: now.at,
        version: deps.version,
        owner: now.memory.owner,
        leader: await leader(),
        source: sourceView(now),
        observation: newest,
        release: releaseView(now, newest?.n),
        hosts: hostStatuses(now),
      };
    },
    plan: async () => planView(context()),
    why: async (host) => why(led(), host),
    fleetHistory: async (limit) => fleetHistory(led(), limit),
    hostHistory: async (host, limit) => hostHistory(led(), host, limit),
    showDeployment: async (id) => showDeployment(led(), id),
    showRevision: async (revision) => showRevision(led(), revision),
    async diff(host, from, to) {
      known(host);
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
    async retry(host, actor) {
      if (host !== undefined) known(host);
      const message =
        host === undefined
          ? 'every remembered failure is forgotten'
          : `the failures of ${host} are forgotten`;
      const drift = host === undefined ? undefined : shownDrift(host);
      return command({ kind: 'retry', at: clock.now(), host, by: actor, drift }, message);
    },
    async adopt(host, { takeover }, actor) {
      known(host);
      return command(
        { kind: 'adopt-asked', at: clock.now(), host, by: actor, takeover },
        `${host} is adopted as soon as it is reached`,
      );
    },
    async hold(host, { reason, until }, actor) {
      known(host);
      return command(
        { kind: 'hold', at: clock.now(), scope: { kind: 'host', host }, by: actor, reason, until },
        `${host} is left as it is`,
      );
    },
    async release(host, actor) {
      known(host);
      return command(
        { kind: 'hold-lifted', at: clock.now(), scope: { kind: 'host', host }, by: actor },
        `${host} follows again`,
      );
    },
    async revert(revision, actor) {
      if (controller.reign() === undefined) throw notLeading(otherLeader);
      const made = await deps.reverter.revert({ revision, actor, at: clock.now() });
      controller.look();
      return { reverted: made.reverted, revision: made.revision, ref: deps.ref, at: clock.now() };
    },
    pack: (tree) => deps.source.pack(tree),
  };
}
