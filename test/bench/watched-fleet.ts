import { createHmac } from 'node:crypto';

import { readEvents } from '../../cli/event-reader.ts';
import { FleetEvent, type FleetHappening } from '../../shared/contracts/api-events.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { readLedger } from '../support/varve.ts';
import { median, spread } from './measure.ts';

const secret = 'what the forge and Varve know';
/** The bare act waits for nothing after the switch, so Varve shall not either. All else is as people have it. */
const manifest = 'adopt: auto\ndefaults: { timeouts: { settle: 1ms } }\n';

/** A fleet of real hosts whose Varve is told of pushes by a webhook, and that tells when outcomes are durable. */
export interface WatchedFleet {
  readonly fleet: Fleet;
  /** Pushes the working copy's head. How long until all of these hosts were confirmed on it, in milliseconds. */
  push(hosts: readonly string[]): Promise<number>;
  /** What the pushes of these revisions spent their time with, phase by phase, for people. */
  phases(revisions: readonly string[]): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function startWatchedFleet(hosts: readonly string[]): Promise<WatchedFleet> {
  const fleet = await startFleet({
    hosts,
    manifest,
    webhookSecret: secret,
    // Nothing but the pushes shall make work while time is taken.
    probeSeconds: 3600,
    logLevel: 'info',
  });
  const stop = new AbortController();
  async function close(): Promise<void> {
    stop.abort();
    await fleet.close();
  }
  try {
    await fleet.varve.settle(fleet.first, undefined, { deadlineMs: 300_000 });
    const happenings = await follow(fleet.varve.url, stop.signal);
    const pushes: Push[] = [];

    return {
      fleet,
      close,
      async push(names) {
        const revision = await fleet.repo.head();
        const beganAt = Date.now();
        const began = performance.now();
        const confirmed = happenings.succeeded(revision, names);
        await fleet.repo.push();
        const pushedAt = Date.now();
        await tell(fleet, revision);
        const toldAt = Date.now();
        await confirmed;
        const took = performance.now() - began;
        pushes.push({ revision, beganAt, pushedAt, toldAt, endedAt: Date.now() });
        // What comes after the outcome (a last probe) is nobody's waiting time, but would be in the way of the next run.
        await fleet.varve.settle(revision);
        return took;
      },
      phases: (revisions) =>
        phasesOf(
          fleet,
          pushes.filter(({ revision }) => revisions.includes(revision)),
        ),
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** What a forge sends after a push. */
async function tell(fleet: Fleet, revision: string): Promise<void> {
  const body = JSON.stringify({ ref: 'refs/heads/main', after: revision, repository: fleet.repo.remote });
  const response = await fetch(`${fleet.varve.webhookUrl}/generic/default`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
      'x-delivery': revision,
    },
    body,
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status !== 202) throw new Error(`the webhook was answered with ${response.status}`);
}

interface Happenings {
  /** Resolves when the outcome of each host's deployment of the revision is in the ledger; rejects if one is another. */
  succeeded(revision: string, hosts: readonly string[]): Promise<void>;
}

const patienceMs = 300_000;

async function follow(url: string, signal: AbortSignal): Promise<Happenings> {
  const listeners = new Set<(happening: FleetHappening) => void>();
  const response = await fetch(`${url}/api/v1/events`, { signal });
  const { body } = response;
  if (body === null) throw new Error('the event stream has no body');
  const reading = (async () => {
    for await (const { data } of readEvents(body)) {
      const { happening } = FleetEvent.parse(JSON.parse(data));
      for (const listener of listeners) listener(happening);
    }
  })();
  reading.catch(() => {
    // It ends with the benchmark; one that ends before is found by the deadline.
  });
  return {
    async succeeded(revision, hosts) {
      const missing = new Set(hosts);
      let listener: ((happening: FleetHappening) => void) | undefined;
      let timer: NodeJS.Timeout | undefined;
      try {
        await new Promise<void>((resolve, reject) => {
          timer = setTimeout(
            () => reject(new Error(`no outcome within ${patienceMs} ms: ${[...missing].join(', ')}`)),
            patienceMs,
          );
          listener = (happening) => {
            if (happening.kind !== 'deployment' || happening.revision !== revision) return;
            if (happening.failure !== undefined) {
              reject(new Error(`${happening.host}: ${happening.phase}, ${happening.failure.message}`));
            }
            if (happening.phase === 'succeeded') missing.delete(happening.host);
            if (missing.size === 0) resolve();
          };
          listeners.add(listener);
        });
      } finally {
        clearTimeout(timer);
        if (listener !== undefined) listeners.delete(listener);
      }
    },
  };
}

interface Push {
  readonly revision: string;
  readonly beganAt: number;
  readonly pushedAt: number;
  readonly toldAt: number;
  readonly endedAt: number;
}

/** From the ledger: when the phases of each push's deployments began, of all its hosts the last one. */
async function phasesOf(fleet: Fleet, pushes: readonly Push[]): Promise<readonly string[]> {
  const facts = await readLedger(fleet.varve.dataDir);
  const steps = new Map<string, number[]>();
  for (const push of pushes) {
    const observed = facts.find(
      (fact) => fact.kind === 'observation' && fact.observation.revision === push.revision,
    );
    const outcomes = facts
      .filter((fact) => fact.kind === 'outcome')
      .filter(({ aim }) => aim.revision === push.revision);
    const released = facts.find(
      (fact) => fact.kind === 'release' && fact.release.tree === outcomes[0]?.aim.tree,
    );
    const last = (
      phase: 'pending' | 'delivering' | 'delivered' | 'activating' | 'confirming' | 'succeeded',
    ) => Math.max(...outcomes.map(({ timeline }) => timeline[phase] ?? Number.NaN));
    const marks: readonly (readonly [string, number | undefined])[] = [
      ['push', push.pushedAt],
      ['webhook', push.toldAt],
      ['observed', observed?.at],
      ['released', released !== undefined && released.at > push.beganAt ? released.at : undefined],
      ['pending', last('pending')],
      ['delivering', last('delivering')],
      ['delivered', last('delivered')],
      ['activating', last('activating')],
      ['switched', last('confirming')],
      ['confirmed', last('succeeded')],
      ['told', push.endedAt],
    ];
    for (const [name, at] of marks) {
      if (at === undefined) continue;
      steps.set(name, [...(steps.get(name) ?? []), at - push.beganAt]);
    }
  }
  const reached = [...steps].map(([name, times]) => `${name} ${Math.round(median(times))}`);
  const ends = steps.get('told') ?? [];
  return [`reached after (ms): ${reached.join(', ')}; in all ${spread(ends)}`];
}
