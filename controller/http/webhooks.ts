import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type WebhookAnswer } from '../../shared/contracts/api-commands.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { testedName } from '../../shared/domain/testing.ts';
import type { FleetBackend } from './backend.ts';
import { HttpRefusal } from './errors.ts';
import type { HttpLog } from './http-log.ts';
import { type RateLimiter, createRateLimiter } from './rate-limiter.ts';
import { type Notice, normalRef, normalRepository, readGeneric, readGithub } from './webhook-payload.ts';
import { isSignedBy } from './webhook-signature.ts';

/** One place that may send webhooks. Its id is part of the path. */
export interface WebhookSource {
  readonly id: string;
  /** Any of them signs; more than one while a secret is being changed. */
  readonly secrets: readonly string[];
  /** Addresses of the watched repository, as the sender may spell them. */
  readonly repositories: readonly string[];
  /** The tracked ref. */
  readonly ref: string;
}

export interface WebhookDeps {
  readonly backend: Pick<FleetBackend, 'sync'>;
  readonly sources: readonly WebhookSource[];
  readonly logger: HttpLog;
  readonly now: () => number;
  readonly ratePerMinute?: number | undefined;
}

/** What a forge may send at most; it is refused before it is read. */
export const maxWebhookBytes = 5 * 1024 * 1024;
/** Repeats of a delivery within this time are answered without another look: it has just been looked. */
const repeatWindowMs = 30_000;
const rememberedDeliveries = 5_000;
/** Bodies that are being read before anybody knows whether they are signed: together, the memory that strangers get. */
const mostAtOnce = 16;

/**
 * The receivers. A webhook is a hint: it says "look now" and never what to deploy, so all that a delivery can cause
 * is one look at the repository. Its own scope of the server: here bodies stay raw bytes.
 */
export async function webhookRoutes(app: FastifyInstance, deps: WebhookDeps): Promise<void> {
  const seen = createDeliveryMemory(deps.now);
  const limiter: RateLimiter = createRateLimiter({
    now: deps.now,
    perMinute: deps.ratePerMinute ?? 120,
    burst: deps.ratePerMinute ?? 120,
  });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxWebhookBytes }, (_request, body, done) => {
    done(null, body);
  });

  let underWay = 0;

  /** Before a byte of the body is read. */
  function beforeBody(signatureHeaders: readonly string[]) {
    return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      if (!limiter.take(request.ip)) {
        void reply.header('retry-after', '30').header('connection', 'close');
        throw new HttpRefusal(429, 'too many webhooks from this address');
      }
      if (!signatureHeaders.some((name) => typeof request.headers[name] === 'string')) {
        void reply.header('connection', 'close');
        throw refused();
      }
      if (underWay >= mostAtOnce) {
        void reply.header('retry-after', '30').header('connection', 'close');
        throw new HttpRefusal(429, 'too many webhooks at once');
      }
      underWay += 1;
      reply.raw.once('close', () => {
        underWay -= 1;
      });
    };
  }

  async function answer(
    reply: FastifyReply,
    receipt: {
      readonly source: string;
      readonly body: unknown;
      readonly signature: string | readonly string[] | undefined;
      readonly delivery: string | readonly string[] | undefined;
      readonly read: (body: Uint8Array) => Notice;
    },
  ): Promise<WebhookAnswer> {
    const source = deps.sources.find((each) => each.id === receipt.source);
    const body = Buffer.isBuffer(receipt.body) ? receipt.body : Buffer.alloc(0);
    if (source === undefined || !isSignedBy(source.secrets, body, receipt.signature)) {
      // The same answer for both: which sources there are is nobody's business.
      deps.logger.warn({ source: receipt.source.slice(0, 60) }, 'webhook refused');
      throw refused();
    }
    const verdict = judge(receipt.read(body), source);
    const id =
      typeof receipt.delivery === 'string' ? `${source.id} ${receipt.delivery.slice(0, 200)}` : undefined;
    const repeated = verdict.look && id !== undefined && !seen.isNews(id);
    if (verdict.look && !repeated)
      await deps.backend.sync({ cause: 'webhook', actor: `webhook:${source.id}` });
    const answered: WebhookAnswer = repeated
      ? { result: 'duplicate', reason: 'this delivery was answered with a look a moment ago' }
      : { result: verdict.result, reason: verdict.reason };
    deps.logger.info(
      { source: source.id, result: answered.result, reason: answered.reason },
      'webhook received',
    );
    void reply.code(202);
    return answered;
  }

  app.post<{ Params: { source: string } }>(
    '/webhooks/github/:source',
    { onRequest: beforeBody(['x-hub-signature-256']), schema: { hide: true } },
    (request, reply) => {
      const { headers } = request;
      return answer(reply, {
        source: request.params.source,
        body: request.body,
        signature: headers['x-hub-signature-256'],
        delivery: headers['x-github-delivery'],
        read: (body) => readGithub(String(headers['x-github-event'] ?? ''), headers['content-type'], body),
      });
    },
  );

  app.post<{ Params: { source: string } }>(
    '/webhooks/generic/:source',
    { onRequest: beforeBody(['x-signature', 'x-signature-256']), schema: { hide: true } },
    (request, reply) => {
      const { headers } = request;
      return answer(reply, {
        source: request.params.source,
        body: request.body,
        // Where both are there, one is checked, without falling back to the other.
        signature: headers['x-signature-256'] ?? headers['x-signature'],
        delivery: headers['x-delivery'],
        read: readGeneric,
      });
    },
  );
}

/** Whether a delivery is worth a look, and why not. */
function judge(
  notice: Notice,
  source: WebhookSource,
): { readonly look: boolean; readonly result: WebhookAnswer['result']; readonly reason: string } {
  if (notice.kind === 'ping') return { look: false, result: 'pong', reason: 'the secret is right' };
  if (notice.kind === 'other') {
    return {
      look: false,
      result: 'ignored',
      reason: `event ${JSON.stringify(notice.event)} says nothing about a branch`,
    };
  }
  const watched = new Set(source.repositories.map(normalRepository));
  if (
    notice.repositories.length > 0 &&
    !notice.repositories.some((url) => watched.has(normalRepository(url)))
  ) {
    return { look: false, result: 'ignored', reason: 'another repository than the watched one' };
  }
  if (notice.ref !== undefined && !isFollowed(notice.ref, source.ref)) {
    return { look: false, result: 'ignored', reason: `only ${normalRef(source.ref)} is tracked` };
  }
  return { look: true, result: 'accepted', reason: 'looking at the repository now' };
}

/** Remembers deliveries that led to a look. A person's redelivery, later, is news again. */
function createDeliveryMemory(now: () => number): { isNews(id: string): boolean } {
  const at = new Map<string, number>();
  return {
    isNews(id) {
      const last = at.get(id);
      if (last !== undefined && now() - last < repeatWindowMs) return false;
      at.delete(id);
      at.set(id, now());
      if (at.size > rememberedDeliveries) {
        const oldest = at.keys().next();
        if (!oldest.done) at.delete(oldest.value);
      }
      return true;
    },
  };
}

function refused(): FleetError {
  return new FleetError({
    code: 'UNAUTHORIZED',
    disposition: 'stalled',
    message: 'unknown source, or the signature is missing or wrong',
    hint: 'the secret at the sender and the one in `webhooks` of the service must be the same',
  });
}

/** Testing branches are followed as well: on top of the tracked one. */
function isFollowed(ref: string, tracked: string): boolean {
  const branch = normalRef(ref);
  return branch === normalRef(tracked) || testedName(`refs/heads/${branch}`) !== undefined;
}
