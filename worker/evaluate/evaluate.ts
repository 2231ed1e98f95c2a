import { FleetError, failureOf } from '../../shared/domain/errors.ts';
import type { HostName, Tree } from '../../shared/domain/names.ts';
import type {
  EvaluationOutcome,
  EvaluationRequest,
  Release,
  ReleasedHost,
} from '../../shared/domain/observation.ts';
import type { StepContext, Steps } from '../../shared/platform/ports/steps.ts';
import { createSingleFlight } from '../../shared/platform/single-flight.ts';
import type { Roots } from '../nix/roots.ts';
import { type Evaluator } from './evaluator.ts';

export interface EvaluateSettings {
  /** Releases whose derivations stay rooted on this worker. */
  readonly keepReleases: number;
}

export interface Evaluation {
  readonly evaluate: Steps['evaluate'];
  /**
   * Evaluates one host of a tree again, because its derivation is not valid here any more.
   * @throws FleetError as an evaluation's failures
   */
  evaluateHost(
    ask: {
      readonly tree: Tree;
      readonly folder: string;
      readonly attribute: string;
      readonly host: HostName;
      readonly hostAttribute: string;
    },
    context: StepContext,
  ): Promise<ReleasedHost>;
}

/** The evaluate step: one tree and its options become one release. The same key is evaluated once at a time. */
export function createEvaluate(deps: {
  readonly evaluator: Evaluator;
  readonly roots: Roots;
  readonly settings: EvaluateSettings;
}): Evaluation {
  const { evaluator, roots, settings } = deps;
  const flights = createSingleFlight<Release>();

  const release = async (request: EvaluationRequest, context: StepContext): Promise<Release> => {
    const hosts = await evaluator.evaluate(request, context);
    const group = ['releases', request.key.replaceAll('.', '-')];
    for (const [host, { drvPath }] of hosts) {
      await roots.put(group, host, drvPath);
      // It is still there, though nothing may have been delivered to it for months.
      await roots.touch(['hosts', host]);
    }
    await roots.prune(['releases'], settings.keepReleases);
    return { key: request.key, tree: request.tree, hosts };
  };

  return {
    async evaluate(request, context): Promise<EvaluationOutcome> {
      const startedAt = performance.now();
      const durationMs = (): number => Math.round(performance.now() - startedAt);
      try {
        const done = await flights.run(request.key, context.signal, (signal) =>
          release(request, { ...context, signal }),
        );
        return { kind: 'complete', release: done, durationMs: durationMs() };
      } catch (thrown) {
        if (!(thrown instanceof FleetError) || thrown.code === 'CANCELLED') throw thrown;
        return { kind: 'failed', failure: failureOf(thrown), durationMs: durationMs() };
      }
    },
    async evaluateHost(ask, context) {
      const { tree, folder, attribute, host, hostAttribute } = ask;
      const request: EvaluationRequest = {
        key: `${tree}.host-${host}`,
        tree,
        folder,
        attribute,
        hosts: new Map([[host, hostAttribute]]),
      };
      const { hosts } = await release(request, context);
      const released = hosts.get(host);
      if (released === undefined) throw new Error(`no evaluation result for ${host}`);
      return released;
    },
  };
}
