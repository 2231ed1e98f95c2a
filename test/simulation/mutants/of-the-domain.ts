import type { Mutant } from '../run-mutants.ts';

const domain = 'shared/domain';

/** What controllers and workers share, and what workers do, going wrong. */
export const domainMutants: readonly Mutant[] = [
  {
    name: 'remember a transient failure of an activation as deterministic',
    file: `${domain}/learn-outcome.ts`,
    from: 'if (fact.evidence) {',
    to: 'if (true) {',
  },
  {
    name: 'forget at once that an activation failed: B fails, and is retried endlessly',
    file: `${domain}/learn-outcome.ts`,
    from: 'change(draft, aim.host, isApart ? { failedApart: known } : { failed: known });',
    to: '',
  },
  {
    name: 'pay no heed to a retry',
    file: `${domain}/learn-outcome.ts`,
    from: 'change(draft, host, { failed: undefined, failedApart: undefined, setback: undefined, retryNext });',
    to: '',
  },
  {
    name: 'never take over a delivery whose worker died',
    file: `${domain}/transition.ts`,
    from: "'deliver-started': ['pending', 'delivering'],",
    to: "'deliver-started': ['pending'],",
  },
  {
    name: 'call a host without a confirmation one that was rolled back for a reason',
    file: `${domain}/transition.ts`,
    from: '        evidence: end.evidence,',
    to: '        evidence: true,',
  },
  {
    name: 'activate after a failed compare-and-set',
    file: 'worker/processor.ts',
    from: `    return written.kind === 'written' ? moved.deployment : undefined;
  }

  /** As`,
    to: '    return moved.deployment;\n  }\n\n  /** As',
  },
  {
    name: 'start before the compare-and-set',
    file: 'worker/processor.ts',
    from: 'const deployment = await beginActivation(found, term);',
    to: `await steps.activate(found.deployment, deps.contextFor(id, signal), async () => {});
    const deployment = await beginActivation(found, term);`,
  },
  {
    name: 'take an activation whose outcome is unknown for one that failed',
    file: 'worker/outcome.ts',
    from: 'return undefined;',
    to: "return { kind: 'ended', end: { kind: 'failed', failure: outcome.failure }, previous: undefined };",
  },
  {
    name: 'take an activation whose outcome is unknown for one that succeeded',
    file: 'worker/outcome.ts',
    from: 'return undefined;',
    to: "return { kind: 'ended', end: { kind: 'succeeded' }, previous: undefined };",
  },
];
