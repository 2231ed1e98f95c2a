import { z } from 'zod';
import { type Deployment as DeploymentValue, isTerminal } from '../../domain/deployment.ts';
import { FleetError } from '../../domain/errors.ts';
import {
  Deployment,
  EvaluationOutcome,
  EvaluationRequest,
  HostContact,
  ProbeTarget,
} from '../../contracts/live.ts';
import type { DeploymentStore, EvaluationState, Term, Written } from '../ports/deployment-store.ts';
import type { RedisConnections } from './client.ts';
import { talking } from './errors.ts';
import { keysOf } from './keys.ts';
import { type Script, runScript } from './script.ts';
import * as scripts from './store-scripts.ts';
import { pairs } from './stream.ts';

export interface RedisStoreDeps {
  readonly redis: RedisConnections;
  /** Several fleets can share a Redis. */
  readonly fleet: string;
  /** How soon after a change `onChange` calls back, and how long it gathers changes. */
  readonly changeEveryMs?: number;
}

const Kind = z.enum(['written', 'conflict', 'other-term', 'gone']);
const Read = z.tuple([z.coerce.number(), z.string(), z.string().nullable()]).nullable();
const Texts = z.array(z.string());

/**
 * The live state in Redis. Each write is one script that compares the life and the version and sets in the same act;
 * a write that throws may or may not have been done, and its caller reads again.
 */
export function createRedisStore(deps: RedisStoreDeps): DeploymentStore {
  const redis = deps.redis.commands;
  const key = keysOf(deps.fleet);
  const term = key('term');
  const deployments = key('deployments');
  /** Host → its deployment that is not terminal. */
  const live = key('live');
  const targets = key('targets');
  const contacts = key('contacts');
  const requests = key('evaluation-requests');
  const outcomes = key('evaluation-outcomes');

  async function write(
    which: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Written> {
    return { kind: Kind.parse(await runScript(redis, which, [term, ...keys], args)) };
  }

  /** A field of a hash, with the life in which it was read; its text is `null` where the hash has it not. */
  async function read(hash: string, field: string): Promise<{ term: Term; text: string | null } | undefined> {
    const found = Read.parse(await runScript(redis, scripts.readScript, [term, hash], [field]));
    if (found === null) return undefined;
    const [epoch, incarnation, text] = found;
    return { term: { epoch, incarnation }, text };
  }

  const deploymentsOf = remembering(Deployment);
  const contactsOf = remembering(HostContact);

  async function evaluations(): Promise<EvaluationState[]> {
    const [asked, answered] = z
      .tuple([Texts, Texts])
      .parse(await runScript(redis, scripts.evaluationsScript, [term, requests, outcomes], []));
    const answers = pairs(answered);
    return [...pairs(asked)].map(([name, text]) => {
      const answer = answers.get(name);
      return {
        request: parsed(EvaluationRequest, text),
        outcome: answer === undefined ? undefined : parsed(EvaluationOutcome, answer),
      };
    });
  }

  return {
    async term() {
      return (await read(deployments, ''))?.term;
    },
    async begin(next) {
      const args = [next.epoch, next.incarnation];
      return (await runScript(redis, scripts.beginScript, [term, contacts, targets], args)) === 1;
    },

    async create(within, deployment) {
      const args = [...named(within), deployment.id, deployment.host, ...stored(deployment)];
      return write(scripts.createScript, [deployments, live], args);
    },
    async get(id) {
      const found = await read(deployments, id);
      if (found === undefined || found.text === null) return undefined;
      return { term: found.term, deployment: parsed(Deployment, found.text) };
    },
    list: async () => deploymentsOf(await talking(() => redis.hvals(deployments))),
    async compareAndSet(within, next) {
      const args = [...named(within), next.id, next.host, ...stored(next), next.version];
      return write(scripts.compareAndSetScript, [deployments, live], args);
    },
    async remove(within, id) {
      return write(scripts.removeScript, [deployments, live], [...named(within), id]);
    },

    async setTargets(within, list) {
      const fields = list.flatMap((target) => [target.host, json(ProbeTarget, target)]);
      return write(scripts.setTargetsScript, [targets], [...named(within), ...fields]);
    },
    async target(host) {
      const found = await read(targets, host);
      if (found === undefined || found.text === null) return undefined;
      return { term: found.term, target: parsed(ProbeTarget, found.text) };
    },
    async putContact(within, contact) {
      if (contact.incarnation !== within.incarnation) return { kind: 'other-term' };
      const args = [...named(within), contact.host, json(HostContact, contact), contact.askedAt, contact.at];
      return write(scripts.putContactScript, [contacts], args);
    },
    contacts: async () => contactsOf(await talking(() => redis.hvals(contacts))),

    async askEvaluation(within, request) {
      const args = [...named(within), request.key, json(EvaluationRequest, request)];
      return write(scripts.askEvaluationScript, [requests], args);
    },
    async evaluation(name) {
      const [asked, answered] = await talking(() =>
        Promise.all([redis.hget(requests, name), redis.hget(outcomes, name)]),
      );
      if (asked === null) return undefined;
      return {
        request: parsed(EvaluationRequest, asked),
        outcome: answered === null ? undefined : parsed(EvaluationOutcome, answered),
      };
    },
    evaluations,
    async putEvaluation(name, outcome) {
      return write(
        scripts.putEvaluationScript,
        [requests, outcomes],
        [name, json(EvaluationOutcome, outcome)],
      );
    },
    async removeEvaluation(name) {
      await write(scripts.removeEvaluationScript, [requests, outcomes], [name]);
    },

    onChange: (callback) =>
      deps.redis.subscriptions.listen(`${term}:changed`, deps.changeEveryMs ?? 10, callback),
  };
}

function named(term: Term): [number, string] {
  return [term.epoch, term.incarnation];
}

function stored(deployment: DeploymentValue): [string, string] {
  return [json(Deployment, deployment), isTerminal(deployment) ? '1' : '0'];
}

function json<Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>): string {
  return JSON.stringify(z.encode(schema, value));
}

/**
 * Parses a list of which little changes between two calls: what was there the last time is not parsed again (10,000
 * deployments take most of a second, once). The values are read-only, so that they can be shared.
 */
function remembering<Schema extends z.ZodType>(
  schema: Schema,
): (texts: readonly string[]) => z.output<Schema>[] {
  let known = new Map<string, z.output<Schema>>();
  return (texts) => {
    const seen = new Map<string, z.output<Schema>>();
    for (const text of texts) seen.set(text, known.get(text) ?? parsed(schema, text));
    known = seen;
    return [...seen.values()];
  };
}

function parsed<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> {
  try {
    return schema.parse(JSON.parse(text));
  } catch (thrown) {
    throw new FleetError({
      code: 'INTERNAL',
      disposition: 'transient',
      message: 'the live state in Redis cannot be read',
      hint: 'another version of Varve may have written it: stop all, empty this Redis, start again; no host changes by that',
      cause: thrown,
    });
  }
}
