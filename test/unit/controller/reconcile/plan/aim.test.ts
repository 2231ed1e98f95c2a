import { describe, expect, test } from 'vitest';
import {
  candidateConnections,
  knownConnections,
  newDeployment,
} from '../../../../../controller/reconcile/plan/aim.ts';
import { connectionFor } from '../../../../../controller/reconcile/plan/target.ts';
import { quiet } from '../../../../../controller/reconcile/plan/judge-said.ts';
import type { HostSpec } from '../../../../../shared/domain/fleet.ts';
import type { Pin } from '../../../../../shared/domain/memory.ts';
import { parseDeploymentId } from '../../../../../shared/domain/names.ts';
import {
  aDeployment,
  adopted,
  aFleet,
  anOutcome,
  aSpec,
  connection,
  host,
  reached,
  remembering,
  running,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';

const newPort = { ...connection, port: 2222 };
const system = running(toplevel('A'));

/** Adopted on the old port, then confirmed on the new one at 100. */
function moved(phase: 'succeeded' | 'awaiting-reboot' = 'succeeded') {
  const deployment = aDeployment({ next: newPort });
  const memory = remembering(adopted('web1', toplevel('A')), anOutcome(deployment, { phase, at: 100 }));
  return memory.hosts.get(host('web1'));
}

describe('the connections of a host', () => {
  test('begin with what was confirmed since the host answered last', () => {
    expect(knownConnections(moved(), reached('web1', system, 50))).toEqual([newPort, connection]);
  });

  test('begin with how it answered last, where that was after the confirmation', () => {
    expect(knownConnections(moved(), reached('web1', system, 150))).toEqual([connection, newPort]);
  });

  test('begin with those of the running system while the new one waits for its reboot', () => {
    expect(knownConnections(moved('awaiting-reboot'), reached('web1', system, 50))).toEqual([
      connection,
      newPort,
    ]);
  });

  test('are those of what it was rebooted into, while another one waits for the next reboot', () => {
    const third = { ...connection, port: 2223 };
    const next = aDeployment({ id: parseDeploymentId('d000002'), toplevel: toplevel('C'), next: third });
    const memory = remembering(
      adopted('web1', toplevel('A')),
      anOutcome(aDeployment({ toplevel: toplevel('B'), next: newPort }), {
        phase: 'awaiting-reboot',
        at: 100,
      }),
      anOutcome(next, { phase: 'awaiting-reboot', at: 200, previous: toplevel('B') }),
    );
    expect(knownConnections(memory.hosts.get(host('web1')), undefined)).toEqual([newPort, third]);
  });

  test('are those of the repository for a host that was never reached', () => {
    const spec = aSpec('web1', { connection: newPort });
    expect(candidateConnections(undefined, undefined, spec)).toEqual([newPort]);
  });
});

test('a host that only tests what it runs is also looked for as what it boots, if somebody switches it off meanwhile', () => {
  const [A, C] = [toplevel('A'), toplevel('C')];
  const tested = anOutcome(aDeployment({ toplevel: C, mode: 'test', next: newPort }), { at: 100 });
  const spec = aSpec('web1', { connection: newPort });
  const desired = wanting(2, 'B', aFleet([spec]), { web1: 'B' });
  if (desired.kind !== 'ready') throw new Error('nothing is wanted');
  const made = newDeployment({
    id: parseDeploymentId('d000002'),
    token: { epoch: 1, counter: 2 },
    verdict: { ...quiet, host: spec.name, deployment: undefined, kind: 'deliver', reason: 'B is wanted' },
    ...{ spec, desired, memory: remembering(adopted('web1', A), tested), at: 200 },
    contact: {
      ...reached('web1', running(C, { booted: A, profile: A, bootDefault: A }), 150),
      connection: newPort,
    },
  });
  expect(made?.known).toEqual([newPort, connection]);
});

describe('where a host is looked for when it is to be confirmed', () => {
  const spec = aSpec('web1', { connection: newPort });
  const base = { drvPath: undefined, testing: undefined };
  const pin: Pin = {
    to: { toplevel: toplevel('A'), drvPath: undefined, observation: 0 },
    cause: 'person',
    from: undefined,
    by: 'ada',
    reason: 'it is on fire',
    at: 200,
  };
  const memory = remembering(adopted('web1', toplevel('A')));

  test('is where the newest revision says', () => {
    const target = { ...base, toplevel: toplevel('B'), pin: undefined };
    expect(connectionFor(target, spec, memory)).toEqual(newPort);
  });

  test('is where it answered with the system that it returns to', () => {
    const target = { ...base, toplevel: toplevel('A'), pin };
    expect(connectionFor(target, spec, memory)).toEqual(connection);
    expect(connectionFor(target, spec, remembering())).toEqual(newPort);
  });

  test('is there, and if it does not answer, where the newest revision says: its address may have changed alone', () => {
    const elsewhere = aSpec('web1', { connection: { ...connection, address: '192.0.2.9' } });
    const said = { at: 200, by: 'ada', reason: 'it is on fire' };
    const memory = remembering(
      adopted('web1', toplevel('A')),
      { ...said, kind: 'hold', scope: { kind: 'host', host: host('web1') }, until: undefined },
      { ...said, ...pin, kind: 'pin', host: host('web1') },
    );
    const made = (spec: HostSpec) => {
      const desired = wanting(2, 'B', aFleet([spec]), { web1: 'B' });
      if (desired.kind !== 'ready') throw new Error('nothing is wanted');
      return newDeployment({
        id: parseDeploymentId('d000001'),
        token: { epoch: 1, counter: 1 },
        verdict: {
          ...quiet,
          host: spec.name,
          deployment: undefined,
          kind: 'deliver',
          reason: 'it goes back',
        },
        ...{ spec, desired, memory, contact: undefined, at: 300 },
      });
    };
    expect(made(elsewhere)).toMatchObject({ next: connection, nextFallback: elsewhere.connection });
    expect(made(aSpec('web1'))).not.toHaveProperty('nextFallback');
  });
});
