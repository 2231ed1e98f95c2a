import type { Mutant } from '../run-mutants.ts';

const plan = 'controller/reconcile/plan';

/** What lets hosts through, letting through whom it should not. */
export const rolloutMutants: readonly Mutant[] = [
  {
    name: 'rollout: pay no heed to the budget',
    file: `${plan}/budgets.ts`,
    from: 'if (inFlight.size + away + 1 <= most) return undefined;',
    to: 'return undefined;',
    invariant: 2,
  },
  {
    name: 'rollout: count only what this pass lets through',
    file: `${plan}/budgets.ts`,
    from: 'const inFlight = members.filter(({ view }) => isInFlight(view));',
    to: 'const inFlight = members.filter(() => false);',
    invariant: 2,
  },
  {
    name: 'rollout: count a stuck host as available',
    file: `${plan}/standing.ts`,
    from: '  if (isStuck(remembered, verdict)) return true;\n',
    to: '',
    invariant: 2,
  },
  {
    name: 'rollout: count an offline host as available',
    file: `${plan}/standing.ts`,
    from: "return contact?.kind !== 'reached' && !wasAbsent(view, begun);",
    to: 'return false;',
    invariant: 2,
  },
  {
    name: 'rollout: pay no heed to the budget of a wave',
    file: `${plan}/budgets.ts`,
    from: 'define(`wave ${name}`, `wave ${name}`, maxUnavailable, ({ view }) => view.spec.wave === name);',
    to: '',
    invariant: 2,
  },
  {
    name: 'rollout: take a share of a budget for all of its hosts',
    file: 'shared/domain/policy.ts',
    from: 'Math.max(1, Math.floor((total * value) / 100))',
    to: 'total',
    invariant: 2,
  },
  {
    name: 'rollout: let no wave soak',
    file: `${plan}/waves.ts`,
    from: 'return last + wave.soakMs;',
    to: 'return last;',
    invariant: 0,
  },
  {
    name: 'rollout: count the soak time of its first host only',
    file: `${plan}/waves.ts`,
    from: 'last = Math.max(last, view.remembered?.confirmed?.at ?? -Infinity);',
    to: 'last = Math.min(last === -Infinity ? Infinity : last, view.remembered?.confirmed?.at ?? -Infinity);',
    invariant: 0,
  },
  {
    name: 'reboots: reboot any number of hosts at once',
    file: `${plan}/reboot.ts`,
    from: 'if (!verdicts.some(begins)) return verdicts;',
    to: 'return verdicts;',
    invariant: 2,
  },
  {
    name: 'rollout: send all hosts back at once with their wave',
    file: `${plan}/rollout.ts`,
    from: 'return isInFlight(view) ? undefined : turns.refusalBack(host);',
    to: 'return undefined;',
  },
  {
    name: 'rollout: let later waves go on after a failed one',
    file: `${plan}/waves.ts`,
    from: "if (state.state !== 'passed') open = false;",
    to: '',
    invariant: 4,
  },
  {
    name: 'rollout: forget a failure while its host is away',
    file: `${plan}/standing.ts`,
    from: "if (proven !== undefined && verdict.kind !== 'in-sync') return proven;",
    to: '',
    invariant: 4,
  },
];
