import type { FleetHappening } from '../shared/contracts/api-events.ts';
import { axesOf } from '../shared/domain/axes.ts';
import type { Fact } from '../shared/domain/facts.ts';
import { observationOf, type Memory } from '../shared/domain/memory.ts';
import type { DeploymentId, HostName } from '../shared/domain/names.ts';
import { scopeWord } from '../shared/domain/policy.ts';
import type { ControllerEvent, Reign } from './reconcile/leader.ts';
import type { PassResult } from './reconcile/reconciler.ts';
import type { SourceState } from './reconcile/watcher.ts';

/** Turns what the controller does into what people are told: each change once. */
export function createTeller(deps: {
  readonly publish: (happening: FleetHappening) => void;
  readonly reign: () => Reign | undefined;
}): (event: ControllerEvent) => void {
  const { publish } = deps;
  let source: SourceState['kind'] | undefined;
  let phases = new Map<DeploymentId, string>();
  let hosts = new Map<HostName, string>();

  function passed(result: PassResult): void {
    const reign = deps.reign();
    if (reign !== undefined && reign.source.kind !== source) {
      source = reign.source.kind;
      publish(sourceHappening(reign.source));
    }
    const nowPhases = new Map<DeploymentId, string>();
    for (const { id, host, phase, revision, reason, failure } of result.snapshot.deployments) {
      nowPhases.set(id, phase);
      if (phases.get(id) !== phase) {
        publish({ kind: 'deployment', deployment: id, host, phase, revision, reason, failure });
      }
    }
    phases = nowPhases;
    const nowHosts = new Map<HostName, string>();
    for (const verdict of result.verdicts) {
      const contact = result.snapshot.contacts.get(verdict.host);
      const axes = axesOf(verdict, contact, reign?.memory.hosts.get(verdict.host));
      const said = `${axes.sync} ${axes.health} ${verdict.kind} ${verdict.reason}`;
      nowHosts.set(verdict.host, said);
      if (hosts.get(verdict.host) === said) continue;
      publish({ kind: 'host', host: verdict.host, ...axes, verdict: verdict.kind, reason: verdict.reason });
    }
    hosts = nowHosts;
  }

  return (event) => {
    switch (event.kind) {
      case 'leading':
        publish({ kind: 'leader', leading: true });
        return;
      case 'not-leading':
        publish({ kind: 'leader', leading: false });
        return;
      case 'facts':
        event.facts.forEach((fact) => {
          const happening = ofFact(fact, deps.reign()?.memory);
          if (happening !== undefined) publish(happening);
        });
        return;
      case 'passed':
        passed(event.result);
        return;
      case 'pass-failed':
        return;
    }
  };
}

function sourceHappening(state: SourceState): FleetHappening {
  switch (state.kind) {
    case 'unseen':
      return { kind: 'source', state: 'waiting' };
    case 'ok':
      return { kind: 'source', state: 'ok' };
    case 'failing':
      return { kind: 'source', state: 'failing', failure: state.failure };
  }
}

function ofFact(fact: Fact, memory: Memory | undefined): FleetHappening | undefined {
  switch (fact.kind) {
    case 'observation': {
      const { n, revision, subject, author, forced } = fact.observation;
      const seen = { kind: 'observation', n, revision, subject, author } as const;
      return forced
        ? { ...seen, reason: 'NonFastForward', from: memory && observationOf(memory, n - 1)?.revision }
        : seen;
    }
    case 'release':
      return { kind: 'release', tree: fact.release.tree, state: 'complete', durationMs: fact.durationMs };
    case 'evaluation-failed':
      return { kind: 'release', tree: fact.tree, state: 'failed', failure: fact.failure };
    case 'outcome': {
      const { deployment, host, revision } = fact.aim;
      return {
        kind: 'deployment',
        deployment,
        host,
        phase: fact.phase,
        revision,
        reason: fact.reason,
        failure: fact.failure,
      };
    }
    case 'hold':
    case 'hold-lifted':
    case 'override':
      return {
        kind: 'command',
        act: fact.kind,
        ...(fact.scope.kind === 'host' ? { host: fact.scope.host } : { scope: scopeWord(fact.scope) }),
        by: fact.by,
      };
    case 'suspended':
    case 'resumed':
    case 'approved':
      return { kind: 'command', act: fact.kind, host: undefined, by: fact.by };
    case 'adopt-asked':
    case 'pin':
      return { kind: 'command', act: fact.kind, host: fact.host, by: fact.by };
    case 'retry':
      return { kind: 'command', act: 'retry', host: fact.host, by: fact.by };
    default:
      return undefined;
  }
}
