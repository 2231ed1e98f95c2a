import type { Fact } from '../shared/domain/facts.ts';
import type { Logger } from '../shared/platform/logger.ts';
import type { ControllerEvent } from './reconcile/leader.ts';

/** Writes what the controller does into its log, for operators. */
export function createEventLog(logger: Logger): (event: ControllerEvent) => void {
  return (event) => {
    switch (event.kind) {
      case 'leading':
        return logger.info({ epoch: event.epoch }, 'leading');
      case 'not-leading':
        return logger.warn({ reason: event.reason }, 'not leading any more');
      case 'pass-failed':
        return logger.warn({ err: event.error }, 'pass failed');
      case 'facts':
        return event.facts.forEach((fact) => {
          if (fact.kind === 'observation' && fact.observation.forced) {
            logger.warn({ reason: 'NonFastForward', ...fieldsOf(fact) }, 'tracked ref rewritten');
          }
          logger.info(fieldsOf(fact), 'recorded');
          if (fact.kind === 'outcome' && fact.phase === 'stuck') {
            logger.error(fieldsOf(fact), 'host stuck: its roll back failed');
          }
        });
      case 'passed':
        return logger.debug({ durationMs: event.durationMs, hosts: event.result.verdicts.length }, 'passed');
    }
  };
}

function fieldsOf(fact: Fact): object {
  switch (fact.kind) {
    case 'intent':
    case 'outcome':
      return {
        fact: fact.kind,
        host: fact.aim.host,
        deployment: fact.aim.deployment,
        observation: fact.aim.observation,
        ...(fact.kind === 'outcome' ? { phase: fact.phase, failure: fact.failure } : {}),
      };
    case 'observation':
      return { fact: fact.kind, observation: fact.observation.n, revision: fact.observation.revision };
    case 'release':
      return {
        fact: fact.kind,
        tree: fact.release.tree,
        hosts: fact.release.hosts.size,
        durationMs: fact.durationMs,
      };
    default:
      return { fact: fact.kind, ...('host' in fact ? { host: fact.host } : {}) };
  }
}
