import type { Mutant } from '../run-mutants.ts';

const plan = 'controller/reconcile/plan';

/** What decides, deciding wrongly. */
export const planMutants: readonly Mutant[] = [
  {
    name: 'drop the supersede rule',
    file: `${plan}/judge-system.ts`,
    from: 'if (view.live !== undefined && !servesTo(state, view.live, view.spec, target, memory, reboot)) {',
    to: 'if (view.live !== undefined && state === "in-sync") {',
  },
  {
    name: 'activate what an older observation had delivered for a newer one',
    file: `${plan}/judge-system.ts`,
    from: '    live.toplevel === target.toplevel &&\n    live.mode',
    to: '    live.mode',
  },
  {
    name: 'pin the revision of a retry',
    file: `${plan}/aim.ts`,
    from: '(target.pin && observationOf(memory, target.pin.to.observation)) ?? desired.observation;',
    to: 'memory.observations.find(({ n }) => n === pinned?.observation) ?? desired.observation;',
    also: [
      {
        file: `${plan}/aim.ts`,
        from: '  const target = targetOf(spec.name, desired, memory.hosts.get(spec.name), init.at);',
        to: `  const last = memory.hosts.get(spec.name)?.lastOutcome;
  const pinned = last?.failure === undefined ? undefined : last.aim;
  const target = pinned ?? targetOf(spec.name, desired, memory.hosts.get(spec.name), init.at);`,
      },
    ],
  },
  {
    name: 'look for a host only where the newest commit has it',
    file: `${plan}/aim.ts`,
    from: `  return distinct([
    ...knownConnections(remembered, contact),
    ...(spec`,
    to: `  if (spec !== undefined) return [spec.connection];
  return distinct([
    ...knownConnections(remembered, contact),
    ...(spec`,
  },
  {
    name: 'interrupt an activation when something newer is wanted',
    file: `${plan}/plan.ts`,
    from: 'if (live !== undefined && isActive(live)) {',
    to: 'if (live !== undefined && isActive(live) && desired.kind !== "ready") {',
    also: [
      {
        file: 'shared/domain/transition.ts',
        from: "supersede: ['pending', 'delivering', 'delivered'],",
        to: "supersede: ['pending', 'delivering', 'delivered', 'activating', 'confirming'],",
      },
    ],
  },
  {
    name: 'go on with an activation although its host was not probed',
    file: `${plan}/plan.ts`,
    from: "if (live.phase === 'activating' && view.contact === undefined) {",
    to: 'if (false) {',
  },
  {
    name: 'forget the incarnation: act on contacts of an earlier life of the store',
    file: `${plan}/plan.ts`,
    from: 'contact: contact?.incarnation === observed.incarnation ? contact : undefined,',
    to: 'contact,',
    also: [
      {
        file: 'controller/reconcile/observe.ts',
        from: 'if (contact.incarnation === term.incarnation) known.set(contact.host, outages.count(contact));',
        to: 'known.set(contact.host, outages.count(contact));',
      },
      {
        file: 'test/simulation/models/model-store.ts',
        from: 'floor: term.epoch, contacts: new Map(), targets: new Map() });',
        to: 'floor: term.epoch });',
      },
      {
        file: 'test/simulation/models/model-store.ts',
        from: 'state = { ...then, term: undefined, contacts: new Map() };',
        to: 'state = { ...then, term: undefined };',
      },
    ],
  },
  {
    name: 'ignore a hold',
    file: `${plan}/plan.ts`,
    from: "if (held !== undefined) return { ...base, kind: 'held', waitsFor: 'person', ...held };",
    to: '',
  },
  {
    name: 'forget what is open on a host that was removed',
    file: `${plan}/judge.ts`,
    from: 'if (remembered.openIntents.size === 0) return undefined;',
    to: 'if (view.live === undefined) return undefined;',
  },
  {
    name: 'treat an unreachable host as in sync',
    file: `${plan}/judge.ts`,
    from: "kind: 'unreachable',",
    to: "kind: 'in-sync',",
  },
  {
    name: 'never probe an unreachable host again',
    file: `${plan}/probes.ts`,
    from: 'return verdict.until ?? now;\n    case',
    to: 'return undefined;\n    case',
  },
  {
    name: 'drop a record from its host before the ledger has its outcome',
    file: `${plan}/probe-target.ts`,
    from: '.filter((id) => memory.outcomeOf.has(id))',
    to: '',
  },
  {
    name: 'forget the fence for an intent that was lost',
    file: `${plan}/settle.ts`,
    from: 'if (highest !== undefined && compareTokens(highest, intent.aim.token) >= 0) {',
    to: 'if (highest !== undefined) {',
  },
  {
    name: 'believe that an activation without a record can never start',
    file: `${plan}/abandon.ts`,
    from: 'return highest !== undefined && compareTokens(highest, deployment.token) >= 0;',
    to: 'return true;',
  },
  {
    name: 'cancel what the host may have started',
    file: `${plan}/doubt.ts`,
    from: 'if (deployment.token.epoch >= memory.epoch) return false;',
    to: 'return false;',
  },
  {
    name: 'try for ever what has failed on its host',
    file: `${plan}/judge-obstacle.ts`,
    from: 'if (failed !== undefined) {',
    to: 'if (false) {',
  },
  {
    name: 'try for ever what nobody could confirm',
    file: `${plan}/judge-obstacle.ts`,
    from: 'setback.unconfirmed >= 2) {',
    to: 'setback.unconfirmed >= 1_000) {',
  },
  {
    name: 'remember a transient failure of an evaluation as deterministic',
    file: `${plan}/settle.ts`,
    from: "} else if (outcome.failure.disposition === 'stalled') {",
    to: '} else if (true) {',
  },
  {
    name: 'take what a clock that was ahead has dated as it is: it has yet to happen',
    file: `${plan}/past.ts`,
    from: 'return fact.at > now ? { ...fact, at: now } : fact;',
    to: 'return fact;',
  },
];
