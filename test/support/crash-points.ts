import { faultPointNames, type FaultPointName } from '../../shared/platform/ports/faults.ts';
import type { Crash, Death } from './crash.ts';

/** How often a program passes its points on the way to something that the other needs nothing else for. */
type Passings = Readonly<Partial<Record<FaultPointName, number>>>;

/** Something that Varve does to a host, and the moments of it at which somebody can die. */
export interface Way {
  readonly controller: Passings;
  readonly worker: Passings;
  /** What a controller passes when it is started, before anybody can speak to it. */
  readonly passedBefore?: Passings;
  /** Who is killed at each of the moments. */
  readonly deaths: readonly Death[];
}

function led(ledgerCommits: number, jobs: number): Passings {
  return {
    'before-create': 1,
    'after-create': 1,
    'before-enqueue': jobs,
    'after-enqueue': jobs,
    'before-ledger-commit': ledgerCommits,
    'after-ledger-commit': ledgerCommits,
  };
}

/** What a leadership begins with: its epoch, and a probe. */
const begun: Passings = {
  'before-enqueue': 1,
  'after-enqueue': 1,
  'before-ledger-commit': 1,
  'after-ledger-commit': 1,
};
const worked: Passings = {
  'before-compare-and-set': 5,
  'after-compare-and-set': 5,
  'before-guard-send': 2,
  'after-guard-send': 2,
};
const acknowledged: Passings = { ...worked, 'before-acknowledge': 1, 'after-acknowledge': 1 };

export const ways = {
  firstDeploy: { controller: led(5, 5), worker: acknowledged, deaths: ['itself', 'redis'] },
  update: { controller: led(5, 5), worker: acknowledged, deaths: ['itself', 'both', 'redis'] },
  // Its release is known: one fact and one job less.
  revert: { controller: led(4, 4), worker: acknowledged, deaths: ['itself', 'redis'] },
  rollBackByPerson: {
    controller: led(3, 3),
    worker: acknowledged,
    passedBefore: begun,
    deaths: ['itself', 'redis'],
  },
  rollBackByHost: { controller: led(5, 5), worker: worked, deaths: ['itself', 'redis'] },
} as const satisfies Readonly<Record<string, Way>>;

/** All crashes on a way: each of its moments, with each of the deaths there. */
export function every(way: Way): readonly Crash[] {
  return way.deaths.flatMap((dies) =>
    (['controller', 'worker'] as const).flatMap((program) =>
      faultPointNames.flatMap((point) =>
        Array.from({ length: way[program][point] ?? 0 }, (_, i) => ({
          program,
          point,
          passing: i + 1 + (program === 'controller' ? (way.passedBefore?.[point] ?? 0) : 0),
          moment: `${point} ${i + 1}`,
          dies,
        })),
      ),
    ),
  );
}

export function nameOf({ program, moment, dies }: Crash): string {
  if (dies === 'redis') return `Redis, while the ${program} is at ${moment}`;
  return `${program}${dies === 'both' ? ' and with it the other' : ''}, ${moment}`;
}
