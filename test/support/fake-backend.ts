import type { FleetBackend, Leadership } from '../../controller/http/backend.ts';
import type { Shown } from '../../shared/contracts/api-history.ts';
import type { HostStatus, Status } from '../../shared/contracts/api.ts';
import { aStatus, at, notFound, revisions, toplevel, tree } from './fake-fleet.ts';

/** A fleet that exists only in the answers of the HTTP surface: what is asked of it is written down. */
export interface FakeBackend extends FleetBackend {
  /** Every command that came through, as `name argument … by actor`. */
  readonly asked: string[];
  state: Status;
  lead: Leadership;
  ready: boolean;
  /** Whether a worker works: hosts are probed when they are asked for. */
  answersProbes: boolean;
  /** Thrown by the next call of anything. */
  breakNext: Error | undefined;
}

const zero = { builds: 0, pushedPaths: 0, pushedBytes: 0, durationMs: 12 };

export function createFakeBackend(): FakeBackend {
  const asked: string[] = [];

  function known(host: string): HostStatus {
    const found = backend.state.hosts.find((each) => each.host === host);
    if (found === undefined) throw notFound(`no host is called ${host}`, 'see `varve status` for the hosts');
    return found;
  }
  function knownScope(scope: string): string {
    const isGroup = backend.state.hosts.some(({ groups }) => groups.includes(scope));
    return scope === 'fleet' || isGroup ? scope : known(scope).host;
  }
  function maybeBreak(): void {
    const { breakNext } = backend;
    backend.breakNext = undefined;
    if (breakNext !== undefined) throw breakNext;
  }
  function done(line: string, message: string) {
    maybeBreak();
    asked.push(line);
    return { done: true as const, at, message };
  }

  const backend: FakeBackend = {
    asked,
    state: aStatus(),
    lead: { kind: 'leading' },
    ready: true,
    answersProbes: true,
    breakNext: undefined,
    leadership: () => backend.lead,
    async readiness() {
      return { ready: backend.ready, reasons: backend.ready ? [] : ['Redis does not answer'] };
    },
    async status() {
      maybeBreak();
      return backend.state;
    },
    async plan() {
      const { observation, hosts } = backend.state;
      return {
        at,
        ...(observation === undefined ? {} : { observation }),
        requeueAt: at + 60_000,
        verdicts: hosts.map(({ host, verdict, reason, current, desired }) => ({
          host,
          verdict,
          reason,
          ...(current === undefined ? {} : { from: current }),
          ...(desired === undefined ? {} : { to: desired }),
        })),
      };
    },
    async why(host) {
      const { sync, health, verdict, reason } = known(host);
      return {
        host,
        sync,
        health,
        verdict,
        reason,
        chain: [{ statement: 'observation 2 wants the toplevel that runs', at, revision: revisions.new }],
        advice: 'nothing to do',
      };
    },
    async fleetHistory() {
      const { observation } = backend.state;
      return {
        observations:
          observation === undefined
            ? []
            : [
                {
                  observation,
                  release: { state: 'complete', durationMs: 2_300 },
                  hosts: { total: 3, unchanged: 2, succeeded: 1, failed: 0, underWay: 0 },
                  durationMs: 8_400,
                },
                {
                  observation: { ...observation, n: 1, revision: revisions.old, subject: 'first' },
                  release: { state: 'complete', durationMs: 4_100 },
                  hosts: { total: 3, unchanged: 0, succeeded: 3, failed: 0, underWay: 0 },
                  durationMs: 61_000,
                },
              ],
        acts: [{ at, by: 'local:ada', act: 'hold', host: 'db1', text: 'until the migration is over' }],
      };
    },
    async hostHistory(host) {
      known(host);
      return {
        host,
        generations: [
          {
            host,
            observation: 2,
            at,
            result: 'unchanged',
            revision: revisions.new,
            subject: 'web1: a newer page',
            toplevel: toplevel('b', host),
            actor: 'Ada',
            reason: 'same toplevel',
          },
          {
            host,
            observation: 1,
            at,
            result: 'rolled-back',
            revision: revisions.old,
            subject: 'first',
            toplevel: toplevel('a', host),
            deployment: 'd000001',
            actor: 'Ada',
            reason: 'new toplevel',
            durationMs: 61_000,
            delivery: { builds: 1, pushedPaths: 12, pushedBytes: 34_567, durationMs: 4_000 },
            failure: {
              code: 'CONFIRM_TIMEOUT',
              disposition: 'stalled',
              message: 'no fresh connection within 60 s',
            },
          },
        ],
        acts: [{ at, by: 'ada', act: 'hold', scope: 'fleet', text: 'nobody is here', until: at + 3_600_000 }],
      };
    },
    async showDeployment(id): Promise<Shown> {
      if (id !== 'd000001') throw notFound(`no deployment is called ${id}`, 'see `varve history`');
      return {
        kind: 'deployment',
        deployment: {
          id,
          host: 'web1',
          phase: 'succeeded',
          action: 'activate',
          mode: 'switch',
          observation: 2,
          revision: revisions.new,
          tree,
          toplevel: toplevel('b', 'web1'),
          drvPath: `${toplevel('c', 'web1')}.drv`,
          previous: toplevel('a', 'web1'),
          reason: 'observation 2 wants another toplevel',
          createdAt: at,
          phaseAt: at + 8_000,
          timeline: [
            { phase: 'pending', at },
            { phase: 'delivering', at: at + 100 },
            { phase: 'activating', at: at + 4_000 },
            { phase: 'succeeded', at: at + 8_000 },
          ],
          delivery: zero,
          evidence: false,
        },
      };
    },
    async showRevision(revision): Promise<Shown> {
      const { observation } = backend.state;
      if (observation === undefined || revision !== observation.revision) {
        throw notFound(`revision ${revision} was never observed`, 'see `varve history`');
      }
      return {
        kind: 'revision',
        revision: {
          observations: [observation],
          release: { state: 'complete', durationMs: 2_300 },
          generations: backend.state.hosts.map(({ host }) => ({
            host,
            observation: 2,
            at,
            result: host === 'web1' ? ('succeeded' as const) : ('unchanged' as const),
            actor: 'Ada',
            reason: 'new toplevel',
          })),
        },
      };
    },
    async diff(host, from, to) {
      known(host);
      return {
        host,
        from: { revision: from, toplevel: toplevel('a', host), bytes: 1_000_000, paths: 40 },
        to: { revision: to, toplevel: toplevel('b', host), bytes: 1_200_000, paths: 41 },
        identical: from === to,
        added: [{ name: 'caddy', from: [], to: ['2.8.4'], bytes: 300_000 }],
        removed: [{ name: 'nginx', from: ['1.26.1'], to: [], bytes: -120_000 }],
        changed: [{ name: 'openssl', from: ['3.0.13'], to: ['3.0.14'], bytes: 20_000 }],
      };
    },
    async sync(hint) {
      maybeBreak();
      asked.push(`sync ${hint.cause} by ${hint.actor}`);
    },
    async probe() {
      maybeBreak();
      const now = Date.now();
      const hosts = backend.answersProbes
        ? backend.state.hosts.map((host) => ({ ...host, probeAskedAt: now }))
        : backend.state.hosts;
      backend.state = { ...backend.state, hosts };
      return now;
    },
    async retry(host, actor) {
      if (host !== undefined) known(host);
      return done(`retry ${host ?? '*'} by ${actor}`, 'remembered failures are forgotten');
    },
    async adopt(host, request, actor) {
      return done(`adopt ${known(host).host} ${request.takeover} by ${actor}`, `${host} will be adopted`);
    },
    async hold({ scope, reason, until }, actor) {
      return done(`hold ${knownScope(scope)} ${reason} ${until} by ${actor}`, `${scope} is held`);
    },
    async release({ scope }, actor) {
      return done(`release ${knownScope(scope)} by ${actor}`, `${scope} is no longer held`);
    },
    async suspend({ reason }, actor) {
      return done(`suspend ${reason} by ${actor}`, 'nothing is begun');
    },
    async resume(actor) {
      return done(`resume by ${actor}`, 'everything goes on');
    },
    async override({ scope, reason, until }, actor) {
      return done(`override ${knownScope(scope)} ${reason} ${until} by ${actor}`, `${scope} is overridden`);
    },
    async approve({ wave, group, observation }, actor) {
      const what = wave === undefined ? `group ${group}` : `wave ${wave}`;
      return done(`approve ${what} ${observation} by ${actor}`, `${what} is approved`);
    },
    async rollback(host, { toGeneration, reason, until, revert }, actor) {
      const line = `rollback ${known(host).host} ${toGeneration} ${reason} ${until} ${revert} by ${actor}`;
      const answer = {
        ...done(line, `${host} goes back to generation 1`),
        host,
        to: { toplevel: toplevel('a', host), observation: 1 },
      };
      return revert
        ? {
            ...answer,
            revertFailure: {
              code: 'CONFLICT',
              disposition: 'stalled',
              message: 'the same lines were changed',
            },
          }
        : answer;
    },
    async revert(revision, actor) {
      done(`revert ${revision} by ${actor}`, '');
      return { reverted: revision, revision: revisions.new, ref: 'main', at };
    },
    async pack(wanted) {
      if (wanted !== tree) throw notFound(`tree ${wanted} was never seen`, undefined);
      return new TextEncoder().encode('PACK');
    },
  };
  return backend;
}
