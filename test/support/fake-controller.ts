import { type EventHub, createEventHub } from '../../controller/http/event-hub.ts';
import { type HttpServer, type HttpSettings, createHttpServer } from '../../controller/http/server.ts';
import { type FakeBackend, createFakeBackend } from './fake-backend.ts';
import { type FakeLogs, createFakeLogs } from './fake-logs.ts';

export const testTokens = {
  internal: 'internal-token-of-the-test',
  reader: 'reader-token',
  operator: 'operator-token',
  admin: 'admin-token',
} as const;

export interface FakeController {
  readonly server: HttpServer;
  readonly backend: FakeBackend;
  readonly logs: FakeLogs;
  readonly events: EventHub;
  /** Every line that was logged, as JSON. */
  readonly logged: string[];
}

/** The real HTTP surface over a fake fleet. */
export async function createFakeController(settings: Partial<HttpSettings> = {}): Promise<FakeController> {
  const { sha256Hex } = await import('../../controller/http/caller.ts');
  const backend = createFakeBackend();
  const logs = createFakeLogs();
  const events = createEventHub({ now: () => Date.now(), life: 'life1', keep: 50 });
  const logged: string[] = [];
  const log = (fields: object, message: string): void => {
    logged.push(JSON.stringify({ ...fields, message }));
  };
  const server = await createHttpServer({
    backend,
    logs,
    events,
    logger: { debug: log, info: log, warn: log, error: log },
    now: () => Date.now(),
    version: '0.1.0',
    settings: {
      tokens: [
        { name: 'rita', sha256: sha256Hex(testTokens.reader), right: 'read' },
        { name: 'omar', sha256: sha256Hex(testTokens.operator), right: 'operate' },
        { name: 'ada', sha256: sha256Hex(testTokens.admin), right: 'admin' },
      ],
      loopbackWithoutToken: true,
      internalToken: testTokens.internal,
      hostNames: ['varve.example'],
      webhooks: [
        {
          id: 'default',
          secrets: ['new secret', 'old secret'],
          repositories: ['ssh://git@forge.example/fleet.git'],
          ref: 'main',
        },
      ],
      ...settings,
    },
  });
  return { server, backend, logs, events, logged };
}

/** One that listens on a port of this machine. */
export async function startFakeController(
  settings: Partial<HttpSettings> = {},
): Promise<{ readonly controller: FakeController; readonly url: string }> {
  const controller = await createFakeController(settings);
  return { controller, url: await controller.server.listen({ address: '127.0.0.1', port: 0 }) };
}
