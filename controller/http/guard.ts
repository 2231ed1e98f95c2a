import type { FastifyInstance, FastifyRequest } from 'fastify';
import { FleetError } from '../../shared/domain/errors.ts';
import type { Actor } from '../../shared/domain/facts.ts';
import { type ApiRight, type Right, allows, routeKey, routeRights } from './authorization.ts';
import {
  type StoredToken,
  bearerToken,
  findToken,
  isCrossSite,
  isLoopbackAddress,
  isLoopbackHost,
  isOwnHost,
  sameSecret,
} from './caller.ts';
import { HttpRefusal } from './errors.ts';

export interface GuardSettings {
  readonly tokens: readonly StoredToken[];
  /** Programs on this machine may do everything without a token. */
  readonly loopbackWithoutToken: boolean;
  /** Shared by controller and workers. */
  readonly internalToken: string;
  /** Names, besides addresses and `localhost`, under which this API is reached. */
  readonly hostNames: readonly string[];
}

interface Caller {
  readonly actor: Actor;
  readonly right: ApiRight;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, on routes of the API. */
    actor: Actor;
    /** What they may do. */
    right: ApiRight;
  }
}

/** Puts every route of the server behind the table of rights. To be called before any route is added. */
export function installGuard(app: FastifyInstance, settings: GuardSettings): void {
  app.decorateRequest('actor', '');
  app.decorateRequest('right', 'read');
  app.addHook('onRoute', (route) => {
    for (const method of Array.isArray(route.method) ? route.method : [route.method]) {
      if (routeRights[routeKey(method, route.url)] === undefined) {
        throw new FleetError({
          code: 'INTERNAL',
          disposition: 'stalled',
          message: `route ${routeKey(method, route.url)} is not in the table of rights`,
        });
      }
    }
  });
  app.addHook('onRequest', async (request) => {
    // No route: the 404 answer needs no right.
    if (request.routeOptions.url === undefined) return;
    const needed = routeRights[routeKey(request.method, request.routeOptions.url)];
    if (needed === undefined) throw forbidden('this route has no right assigned');
    admit(request, needed, settings);
  });
}

function admit(request: FastifyRequest, needed: Right, settings: GuardSettings): void {
  switch (needed) {
    case 'public':
    case 'webhook':
      return;
    case 'internal': {
      const token = bearerToken(request.headers.authorization);
      if (token === undefined || !sameSecret(token, settings.internalToken)) {
        throw unauthorized('the internal token is missing or wrong', undefined);
      }
      return;
    }
    default: {
      if (!isOwnHost(request.headers.host, settings.hostNames)) {
        throw forbidden(
          'the Host header names another machine',
          'add the name to `hostNames` in the service configuration, or use the address',
        );
      }
      if (isCrossSite(request.headers)) throw forbidden('requests of other web pages are refused');
      const caller = callerOf(request, settings);
      mustAllow(caller.right, needed);
      request.actor = caller.actor;
      request.right = caller.right;
    }
  }
}

/** For what takes more than its route does. @throws HttpRefusal */
export function mustAllow(had: ApiRight, needed: Right): void {
  if (allows(had, needed)) return;
  throw forbidden(`this needs the right "${needed}"; the token has "${had}"`, 'use a token with that right');
}

function callerOf(request: FastifyRequest, settings: GuardSettings): Caller {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const presented = bearerToken(authorization);
    const token = presented === undefined ? undefined : findToken(settings.tokens, presented);
    if (token === undefined) throw unauthorized('the API token is not known', tokenHint);
    return { actor: token.name, right: token.right };
  }
  if (settings.loopbackWithoutToken && isDirectLoopback(request)) {
    return { actor: localActor(request.headers['x-varve-actor']), right: 'admin' };
  }
  throw unauthorized('an API token is needed', tokenHint);
}

/**
 * A proxy on this machine speaks for others: what it forwards is not local. Not every proxy says that it is one: some
 * only pass the public name on, some speak HTTP/1.0, which no program of today does by itself.
 */
function isDirectLoopback(request: FastifyRequest): boolean {
  const { headers } = request;
  return (
    isLoopbackAddress(request.socket.remoteAddress) &&
    isLoopbackHost(headers.host) &&
    request.raw.httpVersion !== '1.0' &&
    headers['x-forwarded-for'] === undefined &&
    headers['x-real-ip'] === undefined &&
    headers.forwarded === undefined &&
    headers.via === undefined
  );
}

/** Whoever may use the loopback is trusted to say who they are; a wrong name would only mislead their own ledger. */
function localActor(header: string | readonly string[] | undefined): Actor {
  return typeof header === 'string' && /^[A-Za-z0-9._@-]{1,64}$/.test(header) ? `local:${header}` : 'local';
}

const tokenHint = 'set VARVE_TOKEN (or --token-file) to a token from the `api.tokens` of the service';

function unauthorized(message: string, hint: string | undefined): FleetError {
  return new FleetError({ code: 'UNAUTHORIZED', disposition: 'stalled', message, hint });
}

function forbidden(message: string, hint?: string): HttpRefusal {
  return new HttpRefusal(403, message, hint);
}
