import { readServiceConfig } from '../../shared/contracts/service-config-text.ts';
import { serviceConfigInput } from '../../shared/platform/service.ts';
import { createFakeController } from './fake-controller.ts';
import { revisions, aHost, aStatus } from './fake-fleet.ts';

/**
 * A controller that only pretends: the real HTTP surface over a fake fleet, where the environment says. With
 * `VARVE_FAKE_STORY` a deployment goes by, again and again.
 */
const { server, backend, events, logs } = await createFakeController();
const { listen } = readServiceConfig(serviceConfigInput([], process.env)).written;
const url = await server.listen(listen);
process.stdout.write(`${JSON.stringify({ level: 'info', msg: 'listening', url })}\n`);
process.stdout.write(`${JSON.stringify({ level: 'warn', msg: 'only pretending', host: 'web1' })}\n`);

process.once('SIGTERM', () => {
  void server.close().then(() => process.exit(0));
});

const phases = [
  'pending',
  'delivering',
  'delivering',
  'delivering',
  'delivered',
  'activating',
  'confirming',
] as const;
if (process.env['VARVE_FAKE_STORY'] !== undefined) {
  let step = 0;
  setInterval(() => {
    const phase = phases[step % (phases.length + 2)];
    const at = Date.now();
    logs.write('d000001', `step ${step}`);
    const moving =
      phase === undefined
        ? aHost('web1', { lastContactAt: at, confirmedAt: at })
        : aHost('web1', {
            sync: 'OutOfSync',
            health: 'Progressing',
            verdict: phase === 'activating' ? 'activate' : 'deliver',
            reason: 'a deployment is under way',
            revision: revisions.old,
            deployment: {
              id: 'd000001',
              phase,
              action: 'activate',
              observation: 2,
              revision: revisions.new,
              createdAt: at - step * 600,
              phaseAt: at,
              activity: 'copying path 12',
              ...(phase === 'delivering'
                ? { progress: { what: 'paths', done: (step % 9) * 12, total: 40 } }
                : {}),
            },
          });
    backend.state = aStatus({
      at,
      hosts: [
        moving,
        aHost('web2'),
        aHost('db1', {
          sync: 'Stalled',
          health: 'Degraded',
          verdict: 'stalled',
          reason: 'the activation failed',
          revision: revisions.old,
          profileGeneration: 6,
          failure: {
            code: 'CHECK_FAILED',
            disposition: 'stalled',
            message: 'unit postgresql.service restarts again and again',
            hint: 'see `varve logs d000007`, then commit a fix or `varve retry db1`',
          },
        }),
        aHost('cache1', {
          sync: 'OutOfSync',
          health: 'Unreachable',
          verdict: 'unreachable',
          reason: 'no route to host since 12 min',
          until: at + 40_000,
        }),
        aHost('lab1', { health: 'Held', verdict: 'held', reason: 'held by ada: firmware tests' }),
      ],
    });
    if (phase !== undefined && phases[(step - 1) % 9] !== phase) {
      events.publish({
        kind: 'deployment',
        deployment: 'd000001',
        host: 'web1',
        phase,
        revision: revisions.new,
        reason: 'observation 2 wants another toplevel',
      });
    }
    if (step % 9 === 7) {
      events.publish({
        kind: 'deployment',
        deployment: 'd000001',
        host: 'web1',
        phase: 'succeeded',
        revision: revisions.new,
        reason: '',
      });
    }
    step += 1;
  }, 600);
}
