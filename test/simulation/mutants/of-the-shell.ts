import type { Mutant } from '../run-mutants.ts';

const reconcile = 'controller/reconcile';

/** What acts on a plan, and what leads, going wrong. */
export const shellMutants: readonly Mutant[] = [
  {
    name: 'queue an activation before its intent is in the ledger',
    file: `${reconcile}/reconciler.ts`,
    from: `      await append(intentsOf(input));
      const retryJobAt = await apply(applyDeps, input);`,
    to: `      const retryJobAt = await apply(applyDeps, input);
      await append(intentsOf(input));`,
  },
  {
    name: 'take facts for durable that another controller kept out of the ledger',
    file: `${reconcile}/reconciler.ts`,
    from: "if (appended.kind === 'conflict') throw",
    to: 'if (false) throw',
  },
  {
    name: 'answer a command before it is durable',
    file: `${reconcile}/reconciler.ts`,
    from: '      await append(commands.flatMap(({ facts }) => facts));\n      commands',
    to: '      void append(commands.flatMap(({ facts }) => facts)).catch(() => {});\n      commands',
  },
  {
    name: 'observe a revision only once: A, B, and A again by force push are two',
    file: `${reconcile}/new-observation.ts`,
    from: 'if (look.revision === newest?.revision && readAsBefore) return [];',
    to: 'if (memory.observations.some((one) => one.revision === look.revision) && readAsBefore) return [];',
  },
  {
    name: 'never evaluate again what failed for a passing reason',
    file: `${reconcile}/reconciler.ts`,
    from: 'if (until === undefined) await store.removeEvaluation(key);',
    to: 'if (until === undefined) continue;',
  },
  {
    name: 'give every activation of a leadership the same token',
    file: `${reconcile}/reconciler.ts`,
    from: 'counter: (counter += 1) }),',
    to: 'counter: (counter = 1) }),',
  },
  {
    name: 'go on leading a store that has forgotten this leadership',
    file: `${reconcile}/observe.ts`,
    from: 'if (present === undefined || present.incarnation !== term.incarnation) return undefined;',
    to: 'if (present !== undefined && present.incarnation !== term.incarnation) return undefined;',
  },
  {
    name: 'take the release of another tree',
    file: `${reconcile}/desire.ts`,
    from: 'const release = memory.releases.get(key);',
    to: 'const release = memory.releases.get(key) ?? [...memory.releases.values()].at(-1);',
  },
  {
    name: 'never requeue a lost job',
    file: `${reconcile}/job-tracker.ts`,
    from: 'if (last !== undefined && pending.has(last.id)) return now + lookAgainMs;',
    to: 'if (last !== undefined) return now + lookAgainMs;',
  },
  {
    name: 'let a job have the number of an earlier one',
    file: `${reconcile}/job-tracker.ts`,
    from: '      n += 1;',
    to: '      n = 1;',
  },
  {
    name: 'let two deployments of a host live at once',
    file: `${reconcile}/apply.ts`,
    from: 'return deployment === undefined ? create(deps, input, verdict) : deliveryOf(deployment);',
    to: 'return create(deps, input, verdict);',
    also: [
      {
        file: 'test/simulation/models/model-store.ts',
        from: 'if (other.host === deployment.host && !isTerminal(other)) return conflict;',
        to: '',
      },
    ],
  },
  {
    name: 'forget on a restart what has failed: it is tried again by every leader',
    file: `${reconcile}/office.ts`,
    from: 'for (const fact of history) keeper.remember(inThePast(fact, at));',
    to: `for (const fact of history) {
      keeper.remember(fact.kind === 'outcome' ? { ...fact, failure: undefined } : inThePast(fact, at));
    }`,
  },
  {
    name: 'look at the repository only once',
    file: `${reconcile}/watcher.ts`,
    from: 'if (sighting?.look.revision !== look.revision) {',
    to: 'if (sighting === undefined) {',
  },
  {
    name: 'take the time of a pass from a clock that may be set back',
    file: `${reconcile}/steady-time.ts`,
    from: 'return () => (latest = Math.max(clock.now(), latest + 1));',
    to: 'return () => clock.now();',
  },
];
