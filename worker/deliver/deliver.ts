import { candidates, type Delivery, type Deployment } from '../../shared/domain/deployment.ts';
import { FleetError, failureOf } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import type { DrvPath, StorePath } from '../../shared/domain/names.ts';
import type { ReleasedHost } from '../../shared/domain/observation.ts';
import type { Closures } from '../../shared/platform/ports/closures.ts';
import type { DeliverOutcome, StepContext, Steps } from '../../shared/platform/ports/steps.ts';
import type { Roots } from '../nix/roots.ts';
import type { NixStore } from '../nix/store.ts';
import type { Builds } from './builds.ts';
import type { LocalGuard } from './local-guard.ts';
import type { Push, Pushed } from '../push/push.ts';
import { isConnectionError } from '../push/push-errors.ts';

export interface DeliverSettings {
  /** Toplevels of one host that stay rooted on this worker, besides those that it may have to return to. */
  readonly keepToplevels: number;
  /**
   * After so long without a delivery to it, and without an evaluation here that has it, the roots of a host go: it was
   * removed or renamed. Should it be there after all, what it needs is built again.
   */
  readonly forgetHostsMs: number;
}

const dayMs = 86_400_000;

export interface DeliverDeps {
  readonly store: NixStore;
  readonly roots: Roots;
  readonly builds: Builds;
  readonly push: Push;
  /** Publishes closures to the cache of the configuration; `undefined`: it has none. @throws FleetError */
  readonly publish: ((paths: readonly StorePath[], context: StepContext) => Promise<void>) | undefined;
  readonly guard: LocalGuard;
  /**
   * What is valid and rooted on the host already. One exec on a connection that is open anyway; a host that cannot
   * be asked has nothing.
   */
  readonly hostHas: (
    deployment: Deployment,
    context: StepContext,
  ) => Promise<{ readonly toplevel: boolean; readonly guard: boolean }>;
  /** Evaluates the deployment's host again, when its derivation is not valid here. @throws FleetError */
  readonly evaluateAgain: (deployment: Deployment, context: StepContext) => Promise<ReleasedHost>;
  readonly closures: Pick<Closures, 'put'>;
  readonly settings: DeliverSettings;
}

/** One whose toplevel can be made again, if need be. */
type Derived = Deployment & { readonly drvPath: DrvPath };

function isDerived(deployment: Deployment): deployment is Derived {
  return deployment.drvPath !== undefined;
}

function goneFromHost({ toplevel, host }: Deployment): FleetError {
  return new FleetError({
    code: 'PUSH_FAILED',
    disposition: 'stalled',
    message: `${host} does not have ${toplevel} any more, and no release that Varve knows of made it`,
    hint: 'roll back to a generation that Varve deployed; `varve history` has them',
  });
}

/** The deliver step. It changes nothing that runs, and may be run any number of times. */
export function createDeliver(deps: DeliverDeps): Steps['deliver'] {
  const { store, roots, builds, settings } = deps;
  let forgottenAt = -Infinity;

  /** Nothing else ever comes to the roots of hosts that are no more. */
  const forgetHosts = async (context: StepContext): Promise<void> => {
    const now = performance.now();
    if (now - forgottenAt < dayMs) return;
    forgottenAt = now;
    await roots.forget(['hosts'], settings.forgetHostsMs).catch((thrown: unknown) => {
      context.log(`roots of hosts that are gone stay: ${failureOf(thrown).message}`);
    });
  };

  /** Makes the toplevel and the guard valid and rooted on this worker; how many builds that took. */
  const makeValid = async ({ drvPath, ...deployment }: Derived, context: StepContext): Promise<number> => {
    const { toplevel, host } = deployment;
    const group = ['hosts', host];
    const name = rootName(toplevel);
    // Rooted before it exists: no garbage collection comes in between.
    await roots.put(group, name, toplevel);
    try {
      await deps.guard.root();
      // Most that come here have to be built: both questions at once. Without its derivation there is no plan.
      const [invalid, plan] = await Promise.all([
        store.invalid([toplevel, drvPath, deps.guard.path], context),
        store.plan(drvPath, context).catch(() => undefined),
      ]);
      if (invalid.has(deps.guard.path)) await deps.guard.add(context.signal);
      if (!invalid.has(toplevel)) return 0;
      if (invalid.has(drvPath)) await derive({ ...deployment, drvPath }, context);
      const { builds: count } = await builds.realise(
        {
          drvPath,
          toplevel,
          knownBad: deployment.knownBad,
          deadlineMs: deployment.timeouts.buildMs,
          ...(plan === undefined || invalid.has(drvPath) ? {} : { plan }),
        },
        context,
      );
      return count;
    } catch (thrown) {
      // A root of what is not there would take the place of one that is.
      await roots.drop(group, name);
      throw thrown;
    } finally {
      await roots.prune(group, settings.keepToplevels, new Set(deployment.retained.map(rootName)));
      await forgetHosts(context);
    }
  };

  /** Brings back the derivation: the same tree gives the same one, or something is wrong. */
  const derive = async (deployment: Derived, context: StepContext): Promise<void> => {
    context.log('the derivation is not here any more: evaluating again');
    const again = await deps.evaluateAgain(deployment, context);
    if (again.drvPath === deployment.drvPath && again.toplevel === deployment.toplevel) return;
    throw new FleetError({
      code: 'RELEASE_MISMATCH',
      disposition: 'stalled',
      message: `evaluating ${deployment.host} again gives ${again.drvPath}, not ${deployment.drvPath}`,
      hint: 'the evaluation depends on more than the tree (impure fetches?); commit to get a new release',
      details: { expected: deployment.drvPath, found: again.drvPath },
    });
  };

  /** So that the host can fetch it. Whatever is not there in the end is pushed: no delivery fails for it. */
  const publish = async (
    { transport, timeouts }: Deployment,
    paths: ReadonlyMap<string, StorePath>,
    context: StepContext,
  ): Promise<void> => {
    if (transport.by !== 'cache') return;
    if (deps.publish === undefined) {
      context.log(
        'this worker has no cache to publish to (`worker.cache.publish`): what the host’s substituters lack is pushed',
      );
      return;
    }
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(timeouts.pushMs)]);
    try {
      await deps.publish([...paths.values()], { ...context, signal });
    } catch (thrown) {
      if (context.signal.aborted || !(thrown instanceof FleetError || signal.aborted)) throw thrown;
      const why = thrown instanceof FleetError ? thrown.message : 'it took too long';
      context.log(`not all is published, the rest is pushed: ${why}`);
    }
  };

  const pushOver = async (
    connection: Connection,
    deployment: Deployment,
    paths: ReadonlyMap<string, StorePath>,
    context: StepContext,
  ): Promise<Pushed> => {
    const { host, id, timeouts, transport } = deployment;
    const request = { host, deployment: id, connection, paths, deadlineMs: timeouts.pushMs };
    if (!transport.substitute) return deps.push.push(request, context);
    // A host may wait for ever for a substituter that does not answer: that must not be all that happens.
    const deadlineMs = timeouts.pushMs / 2;
    try {
      return await deps.push.push({ ...request, deadlineMs, substitute: true }, context);
    } catch (thrown) {
      if (!(thrown instanceof FleetError) || !mayBeSubstituters(thrown)) throw thrown;
      context.log(`${thrown.message}; once more, without its substituters`);
      return deps.push.push({ ...request, deadlineMs }, context);
    }
  };

  const pushTo = async (
    deployment: Deployment,
    paths: ReadonlyMap<string, StorePath>,
    context: StepContext,
  ): Promise<Pushed> => {
    let first: unknown;
    for (const connection of candidates(deployment)) {
      try {
        return await pushOver(connection, deployment, paths, context);
      } catch (thrown) {
        // What the connection of the last confirmed generation says comes first.
        first ??= thrown;
        if (!isConnectionError(thrown)) throw thrown;
      }
    }
    throw first;
  };

  const deliver = async (deployment: Deployment, context: StepContext): Promise<Delivery> => {
    const startedAt = performance.now();
    const delivery = (count: number, pushed: Pick<Pushed, 'paths' | 'bytes'>): Delivery => ({
      builds: count,
      pushedPaths: pushed.paths,
      pushedBytes: pushed.bytes,
      durationMs: Math.round(performance.now() - startedAt),
    });
    const has = await deps.hostHas(deployment, context);
    if (has.toplevel && has.guard) {
      const group = ['hosts', deployment.host];
      await roots.touch([...group, rootName(deployment.toplevel)]);
      await roots.touch(group);
      return delivery(0, { paths: 0, bytes: 0 });
    }
    const guard = ['guard', deps.guard.path] as const;
    if (!isDerived(deployment)) {
      if (!has.toplevel) throw goneFromHost(deployment);
      await deps.guard.root();
      if ((await store.invalid([deps.guard.path], context)).has(deps.guard.path)) {
        await deps.guard.add(context.signal);
      }
      return delivery(0, await pushTo(deployment, new Map([guard]), context));
    }
    const count = await makeValid(deployment, context);
    const paths = new Map([['toplevel', deployment.toplevel], guard]);
    await publish(deployment, paths, context);
    const pushed = await pushTo(deployment, paths, context);
    await catalogue(deployment, pushed, context);
    return delivery(count, pushed);
  };

  /** Writes down what the closure consists of. A convenience: no delivery fails for it. */
  const catalogue = async (
    { toplevel }: Deployment,
    { closure }: Pushed,
    context: StepContext,
  ): Promise<void> => {
    try {
      // The guard is pushed with the toplevel, and is no part of it.
      await deps.closures.put(
        toplevel,
        closure.filter(({ path }) => path !== deps.guard.path),
      );
    } catch (thrown) {
      if (!(thrown instanceof FleetError)) throw thrown;
      context.log(`what the closure consists of is not written down: ${thrown.message}`);
    }
  };

  return async (deployment, context): Promise<DeliverOutcome> => {
    try {
      return { kind: 'delivered', delivery: await deliver(deployment, context) };
    } catch (thrown) {
      if (!(thrown instanceof FleetError) || thrown.code === 'CANCELLED') throw thrown;
      return { kind: 'failed', failure: failureOf(thrown) };
    }
  };
}

/** Whether a push may have failed because the host's Nix was busy with its substituters, which it does not say. */
function mayBeSubstituters({ code, disposition }: FleetError): boolean {
  return (code === 'HOST_UNREACHABLE' || code === 'PUSH_FAILED') && disposition === 'transient';
}

function rootName(toplevel: StorePath): string {
  return toplevel.slice('/nix/store/'.length);
}
