import type { Mutant } from '../run-mutants.ts';

const plan = 'controller/reconcile/plan';
const models = 'test/simulation/models';

/** What the clock, people, other hosts and the host itself have a say in, not being asked. */
export const gateMutants: readonly Mutant[] = [
  {
    name: 'windows: start whatever they and freezes say',
    file: `${plan}/gates.ts`,
    from: "return may.open ? undefined : { ...waiting, waitsFor: 'window', until: may.until, reason: may.reason };",
    to: 'return undefined;',
  },
  {
    name: 'windows: take the time outside of every allowed one for open',
    file: `${plan}/window-stretches.ts`,
    from: "return allows && active.length === 0 ? { kind: 'outside' } : undefined;",
    to: 'return undefined;',
  },
  {
    name: 'windows: pay no heed to one that denies',
    file: `${plan}/window-stretches.ts`,
    from: "if (by !== undefined) return { kind: 'denied', by };",
    to: '',
  },
  {
    name: 'windows: pay no heed to a freeze',
    file: `${plan}/windows.ts`,
    from: 'if (freeze !== undefined) return freezeText(freeze);',
    to: '',
  },
  {
    name: 'windows: pay no heed to an override',
    file: `${plan}/windows.ts`,
    from: 'if (override === undefined) return { open: false, reason: closedBy, until };',
    to: 'if (true) return { open: false, reason: closedBy, until };',
  },
  {
    name: 'windows: reboot in them a host that has none',
    file: `${plan}/reboot-window.ts`,
    from: "return { open: false, reason: 'it has no window', until: undefined };",
    to: 'return { open: true };',
  },
  {
    name: 'approvals: need none',
    file: `${plan}/rollout.ts`,
    from: '      approvalRefusal(host, wave) ??\n',
    to: '',
  },
  {
    name: 'approvals: need none for a group',
    file: `${plan}/rollout.ts`,
    from: 'if (!approval || !view.spec.groups.includes(name)) continue;',
    to: 'if (true) continue;',
  },
  {
    name: 'approvals: take that of one observation for one of all',
    file: `${plan}/gates.ts`,
    from: 'if (fact.observation === observation.n) return true;',
    to: 'return true;',
  },
  {
    name: 'approvals: ask for another one where no system changes',
    file: `${plan}/gates.ts`,
    from: 'return seen !== undefined && members().every((host) => sameSystem(seen, release, host));',
    to: 'return false;',
  },
  {
    name: 'order: pay no heed to what a host comes after',
    file: `${plan}/rollout.ts`,
    from: '      dependencyRefusal(view.spec, byName, policy) ??\n',
    to: '',
  },
  {
    name: 'order: update the host that Varve runs on like any other',
    file: `${plan}/gates.ts`,
    from: 'order.refusal(host.view.spec) ?? ',
    to: '',
  },
  {
    name: 'order: begin with a wave before the one before is there',
    file: `${plan}/waves.ts`,
    from: '  if (moving.length > 0) {',
    to: '  if (false) {',
  },
  {
    name: 'order: wait for a host that a check keeps alone',
    file: `${plan}/standing.ts`,
    from: "return verdict.waitsFor === 'check' || isDrift(verdict, remembered)",
    to: 'return isDrift(verdict, remembered)',
  },
  {
    name: 'order: wait for the reboot of a host that a check keeps from it',
    file: `${plan}/plan-input.ts`,
    from: "if (code === 'NOT_READY') return",
    to: 'if (false) return',
  },
  {
    name: 'groups: pay no heed to their budgets',
    file: `${plan}/budgets.ts`,
    from: 'define(`group ${name}`, `group ${name}`, maxUnavailable, ({ view }) => view.spec.groups.includes(name));',
    to: '',
    invariant: 2,
  },
  {
    name: 'groups: pay no heed to their holds',
    file: 'shared/domain/memory-keeper.ts',
    from: 'draft.holds = hold === undefined ? others : [...others, { ...hold, scope }];',
    to: 'draft.holds = others;',
  },
  {
    name: 'modes: switch whatever the mode',
    file: `${plan}/target.ts`,
    from: "if (target.pin === undefined || mode === 'boot') return mode;",
    to: '',
  },
  {
    name: 'modes: be done with what has yet to be booted',
    file: `${plan}/judge-system.ts`,
    from: "return report.current === toplevel ? 'in-sync' : 'reboot';",
    to: "return 'in-sync';",
  },
  {
    name: 'checks: start without asking those that come before',
    file: `${models}/model-steps.ts`,
    from: 'if (!checks.some((check) => check.before)) return true;',
    to: 'return true;',
  },
  {
    name: 'checks: start whatever those say that come before',
    file: `${models}/model-guard.ts`,
    from: 'if (ready || machine.records.has(id)) return undefined;',
    to: 'return undefined;',
  },
  {
    name: 'people: go on while everything is suspended',
    file: `${plan}/plan.ts`,
    from: 'if (memory.suspended !== undefined) {',
    to: 'if (false) {',
  },
  {
    name: 'people: stay suspended for ever',
    file: 'shared/domain/memory-keeper.ts',
    from: "    case 'resumed':\n      draft.suspended = undefined;",
    to: "    case 'resumed':",
  },
  {
    name: 'people: keep a host from where its hold was to bring it back to',
    file: `${plan}/plan.ts`,
    from: "if (pin?.cause !== 'person' || !hasToGetThere(view, pin, desired)) {",
    to: 'if (true) {',
  },
  {
    name: 'people: take up with a later hold a roll back that was over',
    file: 'shared/domain/memory-keeper.ts',
    from: 'hold === undefined || isOver ?',
    to: 'hold === undefined ?',
  },
  {
    name: 'people: look for a host that was rolled back where the newest commit has it',
    file: `${plan}/target.ts`,
    from: 'return then ?? spec.connection;',
    to: 'return spec.connection;',
  },
  {
    name: 'testing: follow a branch that is not on top of the tracked one',
    file: 'shared/domain/testing.ts',
    from: 'return testing?.ignored === undefined && testing?.onto',
    to: 'return testing?.onto',
  },
  {
    name: 'testing: make lasting what is only tested',
    file: `${plan}/target.ts`,
    from: "return mode === 'dry-activate' ? mode : 'test';",
    to: 'return mode;',
  },
  {
    name: 'testing: call merged what would not be booted',
    file: `${plan}/judge-system.ts`,
    from: "return persistent ? 'in-sync' : 'persistent-differs';",
    to: "return 'in-sync';",
  },
  {
    name: 'testing: test whenever it likes',
    file: `${plan}/rollout.ts`,
    from: 'if (host.isTesting) return windowRefusal(host) ?? turns.refusalApart(host);',
    to: 'if (host.isTesting) return turns.refusalApart(host);',
  },
  {
    name: 'testing: test for ever what failed',
    file: 'shared/domain/learn-outcome.ts',
    from: 'const wanted = [desired, pin?.to.toplevel, testing?.released?.toplevel];',
    to: 'const wanted = [desired, pin?.to.toplevel];',
  },
  {
    name: 'testing: go on with a branch that was deleted',
    file: 'controller/reconcile/testing.ts',
    from: 'if (remembered.testing !== undefined && !there.has(host)) {',
    to: 'if (false) {',
  },
];
