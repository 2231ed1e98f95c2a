import { pinAt } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import { scopeWord } from '../../../shared/domain/policy.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import { holdOf, type ViewContext } from '../context.ts';
import { closedGates } from '../gates.ts';
import { rolloutOf } from '../rollout.ts';
import { failureBehind } from '../status.ts';
import { lateHosts, waveInTheWay } from './waiting.ts';

/** What a person could do now, with the command that does it; `undefined` where there is nothing but to wait. */
export function adviceOn(context: ViewContext, verdict: Verdict): string | undefined {
  const { host } = verdict;
  switch (verdict.kind) {
    case 'held':
      return heldAdvice(context, verdict);
    case 'unmanaged':
      return `\`varve adopt ${host}\` makes it one of this fleet`;
    case 'orphaned':
      return 'name it in the repository again, or see "Leaving Varve" in docs/hosts.md';
    case 'wait':
      return waitingAdvice(context, verdict) ?? failureBehind(context, verdict)?.hint;
    case 'stalled':
      return failureBehind(context, verdict)?.hint ?? stalledAdvice(context, verdict);
    default:
      return failureBehind(context, verdict)?.hint;
  }
}

function heldAdvice(context: ViewContext, { host }: Verdict): string {
  const pin = pinAt(context.memory.hosts.get(host), context.at);
  if (pin?.cause === 'person') {
    return `\`varve release ${host}\` lets it follow again: revert or mend the commit first`;
  }
  if (context.memory.suspended !== undefined) return '`varve resume` lets everything go on';
  const hold = holdOf(context, host);
  return `\`varve release ${hold === undefined ? host : scopeWord(hold.scope)}\` lets it follow again`;
}

function waitingAdvice(context: ViewContext, verdict: Verdict): string | undefined {
  const { host } = verdict;
  switch (verdict.waitsFor) {
    case 'approval':
      return approvalAdvice(context, host);
    case 'window':
      return `in an emergency: \`varve override ${host} --reason "…" --for 1h\``;
    case 'wave':
    case 'soak':
      return waveAdvice(context, verdict);
    default:
      return undefined;
  }
}

function approvalAdvice(context: ViewContext, host: HostName): string | undefined {
  const gates = closedGates(context, host);
  return gates.length === 0 ? undefined : gates.map(({ name }) => `\`varve approve ${name}\``).join(', ');
}

function waveAdvice(context: ViewContext, { host }: Verdict): string | undefined {
  const wave = waveInTheWay(context, host)?.name;
  const [late] = wave === undefined ? [] : lateHosts(context, wave);
  if (late === undefined) return undefined;
  if (late.waitsFor === 'approval') return approvalAdvice(context, late.host);
  return late.kind === 'stalled' || late.kind === 'unreachable' ? `\`varve why ${late.host}\`` : undefined;
}

function stalledAdvice(context: ViewContext, { host, code }: Verdict): string {
  if (code === 'ROLLOUT_HALTED') {
    const failed = rolloutOf(context)?.waves.find(({ state }) => state === 'failed')?.name;
    const [late] = failed === undefined ? [] : lateHosts(context, failed);
    return late === undefined
      ? 'revert, or commit a fix'
      : `revert, or commit a fix; \`varve why ${late.host}\``;
  }
  // A retry of one host brings no others of its wave forward again.
  if (code === 'ROLLED_BACK_WITH_WAVE') {
    return 'revert, or commit a fix; `varve retry` tries the same release again';
  }
  return `\`varve retry ${host}\`, or commit a fix`;
}
