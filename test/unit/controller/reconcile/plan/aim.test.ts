import { describe, expect, test } from 'vitest';
import { candidateConnections, knownConnections } from '../../../../../controller/reconcile/plan/aim.ts';
import { connectionFor } from '../../../../../controller/reconcile/plan/target.ts';
import type { Pin } from '../../../../../shared/domain/memory.ts';
import {
  aDeployment,
  adopted,
  anOutcome,
  aSpec,
  connection,
  host,
  reached,
  remembering,
  running,
  toplevel,
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

  test('are those of the repository for a host that was never reached', () => {
    const spec = aSpec('web1', { connection: newPort });
    expect(candidateConnections(undefined, undefined, spec)).toEqual([newPort]);
  });
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
});
