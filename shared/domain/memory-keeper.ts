import type { Fact, FactOf } from './facts.ts';
import { forget, forgetBuild, learnOutcome } from './learn-outcome.ts';
import { answeredAs, generationZero } from './learn-confirmed.ts';
import { carryOver, goOn, learnRollout } from './learn-rollout.ts';
import { type Draft, change, hostOf } from './memory-draft.ts';
import { type Memory, failureAgainst, isAct, lasts } from './memory.ts';
import type { Release } from './observation.ts';
import { scopeText } from './policy.ts';
import { sharedHosts } from './released-hosts.ts';

const rememberedActs = 1_000;
const rememberedApprovals = 100;

/** The one place where a memory is made and changed. */
export interface MemoryKeeper {
  /** A live view: it changes with every `remember`. */
  readonly memory: Memory;
  /** Takes one fact in. The ledger has dropped repeats; taking one twice would do no harm to decisions. */
  remember(fact: Fact): void;
}

/** An empty memory that learns fact by fact, oldest first. Its cost is that of the fact, not of the history. */
export function createMemory(): MemoryKeeper {
  const draft: Draft = {
    lastRelease: undefined,
    owner: undefined,
    epoch: 0,
    newestKey: undefined,
    observations: [],
    keys: new Map(),
    releases: new Map(),
    evaluationMs: new Map(),
    failedEvaluations: new Map(),
    failedBuilds: new Map(),
    hosts: new Map(),
    holds: [],
    suspended: undefined,
    overrides: [],
    approvals: [],
    rollout: undefined,
    halted: new Map(),
    proven: new Set(),
    outcomes: [],
    outcomeOf: new Map(),
    acts: [],
  };
  return { memory: draft, remember: (fact) => learn(draft, fact) };
}

function learn(draft: Draft, fact: Fact): void {
  if (isAct(fact)) {
    draft.acts.push(fact);
    if (draft.acts.length > rememberedActs) draft.acts.shift();
  }
  switch (fact.kind) {
    case 'genesis':
      draft.owner ??= fact.owner;
      return;
    case 'epoch':
      draft.epoch = Math.max(draft.epoch, fact.epoch);
      return;
    case 'observation':
      draft.observations.push(fact.observation);
      draft.newestKey = fact.key;
      if (fact.key !== undefined) draft.keys.set(fact.observation.n, fact.key);
      desire(draft);
      return;
    case 'release':
      // The first complete release of a key is final.
      if (!draft.releases.has(fact.release.key)) {
        const hosts = sharedHosts(fact.release.hosts, draft.lastRelease?.hosts);
        draft.releases.set(fact.release.key, { ...fact.release, hosts });
        // The one host of a testing branch is nothing to compare a whole fleet with.
        if (!learnTested(draft, fact.release)) draft.lastRelease = draft.releases.get(fact.release.key);
        draft.evaluationMs.set(fact.release.key, fact.durationMs);
      }
      draft.failedEvaluations.delete(fact.release.key);
      desire(draft);
      return;
    case 'evaluation-failed':
      draft.failedEvaluations.set(fact.key, fact.failure);
      return;
    case 'adopted':
      learnAdoption(draft, fact);
      return;
    case 'adopt-asked':
      change(draft, fact.host, { adoptAsked: { by: fact.by, at: fact.at, takeover: fact.takeover } });
      return;
    case 'intent': {
      if (draft.outcomeOf.has(fact.aim.deployment)) return;
      const open = new Map(hostOf(draft, fact.aim.host).openIntents);
      open.set(fact.aim.deployment, fact);
      change(draft, fact.aim.host, { openIntents: open });
      return;
    }
    case 'outcome':
      learnOutcome(draft, fact);
      return;
    case 'hold':
    case 'hold-lifted':
      learnHold(draft, fact);
      return;
    case 'suspended':
      draft.suspended = { by: fact.by, reason: fact.reason, at: fact.at };
      return;
    case 'resumed':
      draft.suspended = undefined;
      return;
    case 'override':
      draft.overrides = [
        // The last word for a scope holds: that is how one is ended sooner.
        ...draft.overrides.filter(
          ({ until, scope }) => until > fact.at && scopeText(scope) !== scopeText(fact.scope),
        ),
        fact,
      ];
      return;
    case 'approved':
      draft.approvals = [...draft.approvals, fact].slice(-rememberedApprovals);
      return;
    case 'rollout':
      learnRollout(draft, fact);
      return;
    case 'pin': {
      const { to, cause, from, by, reason, at } = fact;
      change(draft, fact.host, { pin: { to, cause, from, by, reason, at } });
      return;
    }
    case 'testing':
      learnTesting(draft, fact);
      return;
    case 'retry':
      forget(draft, fact.host);
      goOn(draft, fact.host);
      if (fact.host !== undefined) change(draft, fact.host, { mayReplace: fact.drift });
      return;
  }
}

function learnHold(draft: Draft, fact: FactOf<'hold' | 'hold-lifted'>): void {
  const { scope, at, by } = fact;
  const hold = fact.kind === 'hold' ? { by, reason: fact.reason, at, until: fact.until } : undefined;
  if (scope.kind === 'host') {
    const { hold: before, pin } = hostOf(draft, scope.host);
    // A roll back ends with its hold: one that comes after that only keeps the host as it is.
    const isOver = pin?.cause === 'person' && (before === undefined || !lasts(before, at));
    // Whoever lets a host go lets go of what it was rolled back to.
    change(draft, scope.host, hold === undefined || isOver ? { hold, pin: undefined } : { hold });
    return;
  }
  const others = draft.holds.filter((known) => scopeText(known.scope) !== scopeText(scope));
  draft.holds = hold === undefined ? others : [...others, { ...hold, scope }];
}

/** A failure is remembered until another toplevel is desired: B (fails), C, B tries B again. */
function desire(draft: Draft): void {
  const release = draft.newestKey === undefined ? undefined : draft.releases.get(draft.newestKey);
  if (release === undefined) return;
  carryOver(draft, release);
  for (const [host, { toplevel, drvPath }] of release.hosts) {
    const known = hostOf(draft, host);
    if (known.retryNext) {
      forgetBuild(draft, drvPath);
      change(draft, host, { retryNext: false });
    }
    if (known.desired === toplevel) continue;
    change(draft, host, {
      desired: toplevel,
      // What failed in a test, or on the way back, is known to fail.
      failed: failureAgainst(known, toplevel),
      setback: undefined,
    });
  }
}

function learnAdoption(draft: Draft, fact: FactOf<'adopted'>): void {
  const host = hostOf(draft, fact.host);
  const { adopted, confirmed } = host;
  // Adopted again, and still what Varve made of it: nothing of that is forgotten.
  const unchanged =
    adopted !== undefined && (confirmed?.toplevel === fact.running || confirmed?.awaitingReboot === true);
  const ran = fact.running === undefined ? undefined : generationZero(fact, fact.running);
  change(draft, fact.host, {
    adopted: { by: fact.by, at: fact.at, running: fact.running, connection: fact.connection },
    adoptAsked: undefined,
    confirmed: unchanged ? confirmed : ran,
    answered: answeredAs(host, fact.connection),
  });
}

/** What failed of a testing branch is held against nothing else than what it is now. */
function learnTesting(draft: Draft, { host, branch, at }: FactOf<'testing'>): void {
  const { testing, desired, failedApart, setback } = hostOf(draft, host);
  const released = branch && draft.releases.get(branch.key)?.hosts.get(host);
  const before = testing?.released?.toplevel;
  const dropped = before !== undefined && before !== desired && before !== released?.toplevel;
  change(draft, host, {
    testing: branch && { ...branch, at, released },
    failedApart: dropped && failedApart?.toplevel === before ? undefined : failedApart,
    setback: dropped && setback?.toplevel === before ? undefined : setback,
  });
}

/** Whether a release is that of a testing branch; its host then knows what it is to run. */
function learnTested(draft: Draft, { key, hosts }: Release): boolean {
  let isTested = false;
  for (const [host, released] of hosts) {
    const { testing } = hostOf(draft, host);
    if (testing?.key !== key) continue;
    change(draft, host, { testing: { ...testing, released } });
    isTested = true;
  }
  return isTested;
}
