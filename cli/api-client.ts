import type { z } from 'zod';
import { ErrorAnswer, apiPrefix } from '../shared/contracts/api-common.ts';
import { FleetError } from '../shared/domain/errors.ts';
import { harmlessDeep } from './terminal.ts';

/** Speaks to one controller. Every method throws FleetError: the controller's own, or CONTROLLER_UNREACHABLE. */
export interface ApiClient {
  readonly url: string;
  get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>>;
  post<Schema extends z.ZodType>(path: string, body: unknown, schema: Schema): Promise<z.output<Schema>>;
  /** The answer's body, as it comes. */
  stream(
    path: string,
    options: { readonly signal: AbortSignal; readonly lastEventId: string | undefined },
  ): Promise<ReadableStream<Uint8Array>>;
}

export interface ApiClientDeps {
  readonly url: string;
  readonly token: string | undefined;
  /** Who acts, where no token says it. */
  readonly actor: string | undefined;
  readonly deadlineMs?: number;
}

export function createApiClient(deps: ApiClientDeps): ApiClient {
  const url = deps.url.replace(/\/+$/, '');
  const headers: Record<string, string> = {
    accept: 'application/json',
    ...(deps.token === undefined ? {} : { authorization: `Bearer ${deps.token}` }),
    ...(deps.actor === undefined ? {} : { 'x-varve-actor': deps.actor }),
  };

  async function request(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`${url}${apiPrefix}${path}`, { ...init, redirect: 'error' });
    } catch (thrown) {
      throw unreachable(url, thrown);
    }
    if (!response.ok) throw await refusal(response, url);
    return response;
  }

  async function read<Schema extends z.ZodType>(
    response: Response,
    schema: Schema,
  ): Promise<z.output<Schema>> {
    const body: unknown = await response.json().catch(() => undefined);
    const parsed = schema.safeParse(harmlessDeep(body));
    if (parsed.success) return parsed.data;
    throw new FleetError({
      code: 'INTERNAL',
      disposition: 'stalled',
      message: `${url} answers, but not as a controller of this version does`,
      hint: 'are `varve` and the controller of the same version, and is it the right port?',
      cause: parsed.error,
    });
  }

  return {
    url,
    get: async (path, schema) =>
      read(await request(path, { headers, signal: AbortSignal.timeout(deps.deadlineMs ?? 30_000) }), schema),
    post: async (path, body, schema) =>
      read(
        await request(path, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: JSON.stringify(body),
          // A command waits for its commit in the ledger, and a revert for a push.
          signal: AbortSignal.timeout(deps.deadlineMs ?? 120_000),
        }),
        schema,
      ),
    async stream(path, { signal, lastEventId }) {
      const response = await request(path, {
        headers: {
          ...headers,
          accept: 'text/event-stream',
          ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
        },
        signal,
      });
      if (response.body === null) throw unreachable(url, undefined);
      return response.body;
    },
  };
}

async function refusal(response: Response, url: string): Promise<FleetError> {
  const body = ErrorAnswer.safeParse(harmlessDeep(await response.json().catch(() => undefined)));
  if (body.success) return new FleetError(body.data.error);
  return new FleetError({
    code: response.status === 404 ? 'NOT_FOUND' : 'INTERNAL',
    disposition: 'stalled',
    message: `${url} answered with status ${response.status}`,
    hint: 'is this the address of a Varve controller?',
  });
}

function unreachable(url: string, cause: unknown): FleetError {
  const timedOut = cause instanceof Error && cause.name === 'TimeoutError';
  return new FleetError({
    code: timedOut ? 'TIMED_OUT' : 'CONTROLLER_UNREACHABLE',
    disposition: 'transient',
    message: timedOut
      ? `the controller at ${url} does not answer in time`
      : `no controller answers at ${url}`,
    hint: 'start one (`varve up`), or say where it is: --url, or VARVE_URL',
    cause,
  });
}
