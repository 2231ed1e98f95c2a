import { FleetError } from '../../shared/domain/errors.ts';
import { isHostName, type HostName } from '../../shared/domain/names.ts';
import type { EvaluationRequest, ReleasedHost } from '../../shared/domain/observation.ts';
import type { StepContext } from '../../shared/platform/ports/steps.ts';
import type { Nix } from '../nix/nix.ts';
import { type Answer, parseAnswer } from './answer.ts';
import { type Capacity, chunking, inChunks } from './chunks.ts';
import { evaluationError, isMemoryLimit, limit, sourceIn } from './evaluation-errors.ts';
import { evaluationExpression, type Selection } from './expression.ts';
import { flakeUrl } from './flake-url.ts';
import type { TreeStore } from './tree-store.ts';

export interface EvaluatorSettings {
  /** For the whole of one evaluation. */
  readonly deadlineMs: number;
  readonly allowImportFromDerivation: boolean;
  /** What a host is thought to cost; see `Capacity`. */
  readonly cost: Pick<Capacity, 'baseBytes' | 'hostBytes' | 'worthwhile'>;
  /** A process never gets less address space than this: Nix reserves more than it uses. */
  readonly leastBytesEach: number;
}

/** nixpkgs' NixOS as measured by many: about 0.7 GB for the first host of a process, less for each one after it. */
export const usualEvaluatorSettings: EvaluatorSettings = {
  deadlineMs: 30 * 60_000,
  allowImportFromDerivation: true,
  cost: { baseBytes: 1024 ** 3, hostBytes: 640 * 1024 ** 2, worthwhile: 4 },
  leastBytesEach: 4 * 1024 ** 3,
};

/** Evaluates trees with Nix, in as few processes as memory allows. */
export interface Evaluator {
  /** @throws FleetError EVALUATION_FAILED, EVALUATION_LIMIT, LOCK_FILE_INCOMPLETE, DISK_FULL, CANCELLED … */
  evaluate(
    request: Omit<EvaluationRequest, 'key'>,
    context: StepContext,
  ): Promise<ReadonlyMap<HostName, ReleasedHost>>;
}

export function createEvaluator(deps: {
  readonly nix: Nix;
  readonly trees: TreeStore;
  /** How much memory and how many cores there are now. */
  readonly machine: () => Pick<Capacity, 'availableBytes' | 'cores'>;
  readonly settings: EvaluatorSettings;
}): Evaluator {
  const { settings } = deps;

  const ask = async (
    url: string,
    request: Omit<EvaluationRequest, 'key'>,
    selection: Selection,
    limits: { readonly bytesEach: number; readonly until: number },
    context: StepContext,
  ): Promise<Answer> => {
    const expression = evaluationExpression({ url, attribute: request.attribute, selection });
    let source: string | undefined;
    const options = ['--option', 'allow-import-from-derivation', String(settings.allowImportFromDerivation)];
    const command = [
      ...['eval', '--json', '--show-trace', '--no-update-lock-file', '--no-write-lock-file'],
      ...options,
      ...['--expr', expression],
    ];
    const result = await deps.nix
      .run(['nix', ...command], {
        signal: context.signal,
        deadlineMs: Math.max(1, limits.until - performance.now()),
        addressSpaceBytes: Math.max(limits.bytesEach, settings.leastBytesEach),
        onEvent: (event) => {
          if (event.kind === 'build-started') context.log(`building ${event.drvPath}`);
          if (event.kind === 'build-line') context.log(event.line);
          if (event.kind !== 'message') return;
          const where = sourceIn(event);
          if (where !== undefined) source = where;
          else if (event.level <= 1 && event.summary === undefined) context.log(event.text);
        },
      })
      .catch((thrown: unknown) => {
        throw asLimit(thrown, settings.deadlineMs);
      });
    if (result.code !== 0) throw evaluationError(result, { folder: request.folder, source });
    const answer = parseAnswer(result.stdout.toString('utf8'));
    refuseMissing(answer, request);
    return answer;
  };

  return {
    async evaluate(request, context) {
      const until = performance.now() + settings.deadlineMs;
      const url = flakeUrl(await deps.trees.open(request.tree, context.signal), request.folder);
      const capacity: Capacity = { ...settings.cost, ...deps.machine() };
      const released = new Map<HostName, ReleasedHost>();

      let wanted: readonly (readonly [HostName, string])[];
      if (request.hosts === 'all') {
        const one = chunking(1, capacity);
        const atMost = Math.max(1, Math.min(capacity.worthwhile, chunkAlone(capacity)));
        const limits = { bytesEach: one.bytesEach, until };
        const answer = await ask(url, request, { kind: 'all', atMost }, limits, context);
        refuseNames(answer, request);
        for (const [host, entry] of answer.released) released.set(host, entry);
        wanted = answer.listed.map((host) => [host, host]);
      } else {
        wanted = [...request.hosts];
      }

      const { parallel, size, bytesEach } = chunking(wanted.length, capacity);
      const chunks = [...inChunks(wanted, size)];
      const total = wanted.length;
      const abort = new AbortController();
      const signal = AbortSignal.any([context.signal, abort.signal]);
      const work = async (): Promise<void> => {
        for (let hosts = chunks.shift(); hosts !== undefined; hosts = chunks.shift()) {
          try {
            const selection: Selection = { kind: 'hosts', hosts };
            const limits = { bytesEach, until };
            const answer = await ask(url, request, selection, limits, { ...context, signal });
            for (const [host, entry] of answer.released) released.set(host, entry);
            if (total > 0) context.progress({ what: 'evaluating', done: released.size, total });
          } catch (thrown) {
            // Fewer hosts at once may fit where many did not.
            if (!isMemoryLimit(thrown) || hosts.length === 1) throw thrown;
            chunks.unshift(...inChunks(hosts, Math.ceil(hosts.length / 2)));
          }
        }
      };
      await allOrFirstError(Array.from({ length: parallel }, work), abort);
      return new Map([...released].sort(([a], [b]) => (a < b ? -1 : 1)));
    },
  };
}

/** How many hosts one process alone may take. */
function chunkAlone(capacity: Capacity): number {
  return Math.floor((capacity.availableBytes - capacity.baseBytes) / capacity.hostBytes);
}

/** Waits for all; the first error ends the others, and is what is thrown. */
async function allOrFirstError(work: readonly Promise<void>[], abort: AbortController): Promise<void> {
  let first: { readonly thrown: unknown } | undefined;
  await Promise.all(
    work.map((each) =>
      each.catch((thrown: unknown) => {
        first ??= { thrown };
        abort.abort();
      }),
    ),
  );
  if (first !== undefined) throw first.thrown;
}

function asLimit(thrown: unknown, deadlineMs: number): unknown {
  if (!(thrown instanceof FleetError) || thrown.code !== 'TIMED_OUT') return thrown;
  return limit(`it took longer than ${deadlineMs / 1_000} s`, 'time', undefined);
}

function refuseMissing(answer: Answer, request: Omit<EvaluationRequest, 'key'>): void {
  if (!answer.found) {
    throw new FleetError({
      code: 'EVALUATION_FAILED',
      disposition: 'stalled',
      message: `the flake in ${request.folder} has no output ${request.attribute}; it has ${listing(answer.outputs)}`,
      hint: 'name the attribute that holds the configurations in varve.yaml, or add it to flake.nix',
      details: { attribute: request.attribute },
    });
  }
  const [first] = answer.missing;
  if (first === undefined) return;
  const all = answer.missing.map(({ host, attribute }) =>
    host === attribute ? host : `${host} (${attribute})`,
  );
  throw new FleetError({
    code: 'EVALUATION_FAILED',
    disposition: 'stalled',
    message: `${request.attribute} has no attribute for ${all.join(', ')}; it has ${listing(answer.names)}`,
    hint: "add the configuration to the flake, or correct the host's attribute in varve.yaml",
    details: { host: first.host, attribute: first.attribute },
  });
}

/** Where every configuration is a host, one that cannot be called so must not be left out without a word. */
function refuseNames(answer: Answer, request: Omit<EvaluationRequest, 'key'>): void {
  const wrong = answer.names.filter((name) => !isHostName(name)).map((name) => JSON.stringify(name));
  if (wrong.length === 0) return;
  throw new FleetError({
    code: 'EVALUATION_FAILED',
    disposition: 'stalled',
    message: `without hosts in varve.yaml every attribute of ${request.attribute} is a host, and no host can be called ${listing(wrong)}`,
    hint: 'list the hosts in varve.yaml, each with its `attribute`; or use lower-case letters, digits and hyphens',
  });
}

function listing(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const shown = names.slice(0, 20).join(', ');
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
}
