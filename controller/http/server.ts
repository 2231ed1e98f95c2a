import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { HealthAnswer } from '../../shared/contracts/api-commands.ts';
import { apiPrefix } from '../../shared/contracts/api-common.ts';
import { parseTree } from '../../shared/domain/names.ts';
import type { FleetBackend, LogReader } from './backend.ts';
import { httpErrorOf } from './errors.ts';
import type { EventHub } from './event-hub.ts';
import { type GuardSettings, installGuard } from './guard.ts';
import type { HttpLog } from './http-log.ts';
import { commandRoutes } from './routes-command.ts';
import { peopleRoutes } from './routes-people.ts';
import { readRoutes } from './routes-read.ts';
import { streamRoutes } from './routes-stream.ts';
import { type WebhookSource, webhookRoutes } from './webhooks.ts';

export interface HttpSettings extends GuardSettings {
  readonly webhooks: readonly WebhookSource[];
  readonly webhooksPerMinute?: number;
  /** How often an idle stream says that it lives. */
  readonly pingMs?: number;
}

export interface HttpDeps {
  readonly backend: FleetBackend;
  readonly logs: LogReader;
  readonly events: EventHub;
  readonly logger: HttpLog;
  readonly now: () => number;
  readonly version: string;
  readonly settings: HttpSettings;
}

export interface HttpServer {
  /** Starts to listen; port 0 takes a free one. Resolves with the URL. */
  listen(where: { readonly address: string; readonly port: number }): Promise<string>;
  /** Ends open streams too. */
  close(): Promise<void>;
  /** For tests that need no socket. */
  readonly app: FastifyInstance;
}

/** Commands are small; webhooks have their own limit. */
const maxBodyBytes = 64 * 1024;

/** The controller's HTTP surface: API, events, webhooks, health, and trees for workers. */
export async function createHttpServer(deps: HttpDeps): Promise<HttpServer> {
  const app = fastify({
    bodyLimit: maxBodyBytes,
    // A sender has this long for headers and body: streams are answers, and not limited by it.
    requestTimeout: 30_000,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 200 },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  // A form of another web page can send text/plain without asking first; JSON it cannot.
  app.removeContentTypeParser('text/plain');
  installGuard(app, deps.settings);
  answerErrors(app, deps.logger);
  app.addHook('onSend', async (_request, reply) => {
    void reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store');
  });
  app.addHook('onResponse', async (request, reply) => {
    deps.logger.debug(
      {
        method: request.method,
        path: request.routeOptions.url,
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime),
      },
      'request answered',
    );
  });

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Varve',
        version: deps.version,
        description: 'Times are milliseconds since the epoch, durations milliseconds, sizes bytes.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
  });
  await app.register(async (scope) => {
    healthRoutes(scope, deps.backend);
    internalRoutes(scope, deps.backend);
    await readRoutes(scope, deps.backend);
    await streamRoutes(scope, { ...deps, pingMs: deps.settings.pingMs });
    scope.get(`${apiPrefix}/openapi.json`, { schema: { hide: true } }, async () => app.swagger());
  });
  await app.register((scope) => commandRoutes(scope, deps));
  await app.register((scope) => peopleRoutes(scope, deps));
  await app.register((scope) =>
    webhookRoutes(scope, {
      ...deps,
      sources: deps.settings.webhooks,
      ratePerMinute: deps.settings.webhooksPerMinute,
    }),
  );
  await app.ready();

  return {
    app,
    listen: ({ address, port }) => app.listen({ host: address, port }),
    close: () => app.close(),
  };
}

function answerErrors(app: FastifyInstance, logger: HttpLog): void {
  app.setErrorHandler((thrown, request, reply) => {
    const { status, failure, internal } = httpErrorOf(thrown);
    if (internal)
      logger.error({ err: thrown, method: request.method, path: request.routeOptions.url }, 'request failed');
    if (status === 401) void reply.header('www-authenticate', 'Bearer');
    if (status === 413) void reply.header('connection', 'close');
    void reply
      .code(status)
      .type('application/json; charset=utf-8')
      .serializer(JSON.stringify)
      .send({ error: failure });
  });
  app.setNotFoundHandler((_request, reply) => {
    void reply.code(404).send({
      error: {
        code: 'NOT_FOUND',
        disposition: 'stalled',
        message: 'there is nothing at this path',
      },
    });
  });
}

function healthRoutes(app: FastifyInstance, backend: FleetBackend): void {
  app.get('/livez', { schema: { hide: true, response: { 200: HealthAnswer } } }, async () => ({
    ok: true,
    reasons: [],
  }));
  app.get('/readyz', { schema: { hide: true } }, async (_request, reply) => {
    const { ready, reasons } = await backend.readiness();
    void reply.code(ready ? 200 : 503);
    return HealthAnswer.parse({ ok: ready, reasons });
  });
}

function internalRoutes(app: FastifyInstance, backend: FleetBackend): void {
  app.get<{ Params: { tree: string } }>(
    '/internal/trees/:tree',
    { schema: { hide: true } },
    async (request, reply) => {
      const pack = await backend.pack(parseTree(request.params.tree));
      void reply.type('application/x-git-packed-objects');
      return Buffer.from(pack);
    },
  );
}
