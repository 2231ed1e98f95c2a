import type { FleetEvent, FleetHappening } from '../../shared/contracts/api-events.ts';

/** Where what happens is told, and kept for a while for readers that were away. */
export interface EventHub {
  publish(happening: FleetHappening): void;
  /**
   * Calls back with every event after the one with id `after`, the kept ones at once. When `after` is not among the
   * kept ones (another life of the controller, or too long ago) a `reset` comes first. Returns the closer.
   */
  subscribe(after: string | undefined, listener: (event: FleetEvent) => void): () => void;
}

/** Ids are `<life>-<n>`: a controller that was restarted does not mistake an old id for one of its own. */
export function createEventHub(deps: {
  readonly now: () => number;
  /** Unguessable is not needed, unique is. */
  readonly life: string;
  readonly keep?: number;
}): EventHub {
  const keep = deps.keep ?? 1_000;
  const kept: FleetEvent[] = [];
  const listeners = new Set<(event: FleetEvent) => void>();
  let n = 0;

  function missed(after: string): readonly FleetEvent[] {
    const [, number] = /^(?:.+)-(\d+)$/.exec(after) ?? [];
    const seen = Number(number);
    const sameLife = after === `${deps.life}-${seen}` && seen <= n;
    const first = n - kept.length + 1;
    if (sameLife && seen >= first - 1) return kept.slice(seen - first + 1);
    return [{ id: `${deps.life}-${n}`, at: deps.now(), happening: { kind: 'reset' } }];
  }

  return {
    publish(happening) {
      n += 1;
      const event: FleetEvent = { id: `${deps.life}-${n}`, at: deps.now(), happening };
      kept.push(event);
      if (kept.length > keep) kept.shift();
      for (const listener of listeners) listener(event);
    },
    subscribe(after, listener) {
      if (after !== undefined) for (const event of missed(after)) listener(event);
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
