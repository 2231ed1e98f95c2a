import type { FleetHappening } from '../../shared/contracts/api-events.ts';
import type { Terminal } from '../terminal.ts';
import { duration } from '../words.ts';
import { happeningLine } from './fleet-lines.ts';

/** Which happenings a person reads, as lines: it remembers what it told, and does not tell it again. */
export interface Story {
  /** The line for what happened; nothing where it says nothing new. */
  tell(happening: FleetHappening, at: number): string | undefined;
}

/** On a terminal the live block shows what moves: there only what began it and how it ended is told. */
export function createStory(terminal: Terminal): Story {
  const begun = new Map<string, number>();
  const remarkable = new Set<string>();
  let source: string | undefined;

  return {
    tell(happening, at) {
      const line = happeningLine(happening, terminal);
      switch (happening.kind) {
        case 'deployment': {
          const { deployment, phase } = happening;
          const since = begun.get(deployment) ?? at;
          if (isOver(phase)) begun.delete(deployment);
          else begun.set(deployment, since);
          if (terminal.interactive && moving.has(phase)) return undefined;
          if (phase !== 'succeeded' || since === at) return line;
          return `${line} ${terminal.paint('dim', `after ${duration(at - since)}`)}`;
        }
        case 'host': {
          // Deployments tell of themselves; a host does when something is the matter with it, and when it no longer is.
          const now = isRemarkable(happening);
          const before = remarkable.has(happening.host);
          if (now) remarkable.add(happening.host);
          else if (before && happening.sync === 'Unknown') return undefined;
          else remarkable.delete(happening.host);
          return now || before ? line : undefined;
        }
        case 'source': {
          const state = happening.failure?.message ?? happening.state;
          const before = source;
          source = state;
          return state === before || (before === undefined && happening.state === 'ok') ? undefined : line;
        }
        default:
          return line;
      }
    },
  };
}

type Phase = Extract<FleetHappening, { kind: 'deployment' }>['phase'];

const moving: ReadonlySet<Phase> = new Set([
  'pending',
  'delivering',
  'delivered',
  'activating',
  'confirming',
]);

function isOver(phase: Phase): boolean {
  return !moving.has(phase) && phase !== 'rolling-back' && phase !== 'awaiting-reboot';
}

function isRemarkable({ sync, health, verdict }: Extract<FleetHappening, { kind: 'host' }>): boolean {
  const matters: readonly string[] = ['Degraded', 'Unreachable', 'Held'];
  return sync === 'Stalled' || matters.includes(health) || verdict === 'unmanaged' || verdict === 'orphaned';
}
