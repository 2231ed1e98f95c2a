import type { Fact } from '../../shared/domain/facts.ts';
import { createMemory, type MemoryKeeper } from '../../shared/domain/memory-keeper.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { DeploymentStore, Term } from '../../shared/platform/ports/deployment-store.ts';
import type { FaultPoint } from '../../shared/platform/ports/faults.ts';
import type { Ids } from '../../shared/platform/ports/ids.ts';
import type { Ledger } from '../../shared/platform/ports/ledger.ts';
import { inThePast } from './plan/past.ts';
import { LeadershipLost } from './reconciler.ts';

/** A leadership: its term, what the ledger told it, and when it began. */
export interface Office {
  readonly term: Term;
  readonly keeper: MemoryKeeper;
  readonly since: number;
}

export interface OfficeDeps {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly store: DeploymentStore;
  readonly ledger: Ledger;
  readonly faultPoint: FaultPoint;
  /** How the leader is called. */
  readonly name: string;
}

/**
 * Reads the ledger, appends an epoch above all others to it, and gives the store a new life.
 * @param aboveEpoch the highest that a host has seen
 * @throws LeadershipLost when somebody else was first; FleetError
 */
export async function takeOffice(deps: OfficeDeps, aboveEpoch: number): Promise<Office> {
  const keeper = createMemory();
  const history = await deps.ledger.load();
  const at = deps.clock.now();
  for (const fact of history) keeper.remember(inThePast(fact, at));
  const { memory } = keeper;
  const present = await deps.store.term();
  const epoch = Math.max(memory.epoch, present?.epoch ?? 0, aboveEpoch) + 1;
  const facts: Fact[] = [];
  if (memory.owner === undefined) facts.push({ kind: 'genesis', at, owner: deps.ids.unique() });
  facts.push({ kind: 'epoch', at, epoch, leader: deps.name });
  await deps.faultPoint('before-ledger-commit');
  const appended = await deps.ledger.append(facts);
  await deps.faultPoint('after-ledger-commit');
  if (appended.kind === 'conflict') throw new LeadershipLost('another controller took office first');
  facts.forEach((fact) => keeper.remember(fact));
  const term = { epoch, incarnation: deps.ids.unique() };
  if (!(await deps.store.begin(term))) throw new LeadershipLost('the store knows a newer leadership');
  return { term, keeper, since: at };
}
