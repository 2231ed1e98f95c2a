/**
 * What a caller needs to have. `public`: nothing. `webhook`: a signature, checked by the route over the raw bytes.
 * `internal`: the token that controller and workers share. The others are rights of API tokens.
 */
export type Right = 'public' | 'webhook' | 'internal' | 'read' | 'operate' | 'admin';

/** The rights that an API token can have. */
export type ApiRight = Extract<Right, 'read' | 'operate' | 'admin'>;

/**
 * Every route and what it takes. A route that is not here cannot be registered, and a request that matches none is
 * not answered by any: denied by default.
 */
export const routeRights: Readonly<Record<string, Right>> = {
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'POST /webhooks/github/:source': 'webhook',
  'POST /webhooks/generic/:source': 'webhook',
  'GET /internal/trees/:tree': 'internal',
  'GET /api/v1/openapi.json': 'read',
  'GET /api/v1/status': 'read',
  'GET /api/v1/plan': 'read',
  'GET /api/v1/history': 'read',
  'GET /api/v1/events': 'read',
  'GET /api/v1/hosts/:host/why': 'read',
  'GET /api/v1/hosts/:host/history': 'read',
  'GET /api/v1/hosts/:host/diff': 'read',
  'GET /api/v1/deployments/:id': 'read',
  'GET /api/v1/deployments/:id/log': 'read',
  'GET /api/v1/revisions/:revision': 'read',
  'POST /api/v1/sync': 'operate',
  'POST /api/v1/probe': 'operate',
  'POST /api/v1/retry': 'operate',
  'POST /api/v1/hold': 'operate',
  'POST /api/v1/release': 'operate',
  'POST /api/v1/suspend': 'operate',
  'POST /api/v1/resume': 'operate',
  'POST /api/v1/override': 'operate',
  'POST /api/v1/approve': 'operate',
  'POST /api/v1/hosts/:host/rollback': 'operate',
  'POST /api/v1/hosts/:host/adopt': 'admin',
  'POST /api/v1/revert': 'admin',
};

const includes: Readonly<Record<ApiRight, readonly Right[]>> = {
  read: ['read'],
  operate: ['read', 'operate'],
  admin: ['read', 'operate', 'admin'],
};

/** Does someone with `had` get through to a route that takes `needed`? */
export function allows(had: ApiRight, needed: Right): boolean {
  return includes[had].includes(needed);
}

export function routeKey(method: string, path: string): string {
  return `${method} ${path}`;
}
