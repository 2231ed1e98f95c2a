import { partsText, type ProbeReport } from '../../../shared/domain/contact.ts';
import { isActive } from '../../../shared/domain/deployment.ts';
import type { HostSpec, Mode } from '../../../shared/domain/fleet.ts';
import type { HostMemory } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import { needsSomeone } from './judge-obstacle.ts';
import type { Said, State } from './judge-said.ts';
import type { Observed, Patience, WantedView } from './plan-input.ts';
import { pausedOrUnready } from './readiness.ts';
import type { Target } from './target.ts';

/** Whether a maintenance window is open. */
export type RebootWindow =
  | { readonly open: true }
  | { readonly open: false; readonly reason: string; readonly until: number | undefined };

export interface RebootInput {
  readonly view: WantedView;
  readonly target: Target;
  readonly state: State;
  readonly mode: Mode;
  readonly report: ProbeReport;
  readonly remembered: HostMemory;
  readonly window: RebootWindow;
  readonly patience: Patience;
  readonly now: number;
}

/** What a reboot that is due comes to. `in-sync` keeps its verdict, and says so; `now`: it is to be rebooted. */
export type RebootAdvice =
  | { readonly kind: 'in-sync'; readonly note: string; readonly until?: number | undefined }
  | { readonly kind: 'now'; readonly reason: string }
  | { readonly kind: 'not-yet'; readonly said: Pick<Said, 'kind' | 'reason'> & Partial<Said> };

/**
 * Whether a host that has what is wanted is to be rebooted, by its policy: because the system is only set for the next
 * boot, or runs under parts that only a boot replaces. Pure; `undefined`: no reboot is due.
 */
export function rebootOf(input: RebootInput): RebootAdvice | undefined {
  const { state, view, target, window } = input;
  const policy = view.spec.reboot;
  if (!isRebootDue(input)) return undefined;
  const forNextBoot = state === 'reboot';
  const what = whatFor(input);
  // It would boot what it was booted with: the guard leaves it alone, and which of them boots is for people to say.
  if (!forNextBoot && input.report.booted === target.toplevel) {
    return { kind: 'in-sync', note: `it runs a specialisation, and ${what}` };
  }
  const obstacle = obstacleToReboot(input);
  if (obstacle !== undefined) return { kind: 'not-yet', said: obstacle };
  switch (policy.when) {
    case 'after-deploy':
      return { kind: 'now', reason: `it is rebooted: ${what}` };
    case 'never':
      if (!forNextBoot) return { kind: 'in-sync', note: `a reboot is due, and left to people: ${what}` };
      return { kind: 'not-yet', said: { kind: 'wait', waitsFor: 'reboot', reason: what } };
    case 'window': {
      if (window.open) return { kind: 'now', reason: `it is rebooted in its window: ${what}` };
      const reason = `${what}; it is rebooted in a window: ${window.reason}`;
      if (!forNextBoot) return { kind: 'in-sync', note: reason, until: window.until };
      return {
        kind: 'not-yet',
        said: { kind: 'wait', action: 'reboot', waitsFor: 'window', until: window.until, reason },
      };
    }
  }
}

/**
 * Whether only a boot brings what is wanted. A host in mode `test` would lose what it is to run; one that is only asked
 * what would happen runs nothing of it.
 */
export function isRebootDue({
  state,
  mode,
  report,
}: Pick<RebootInput, 'state' | 'mode' | 'report'>): boolean {
  if (state === 'reboot') return true;
  return state === 'in-sync' && (mode === 'switch' || mode === 'boot') && report.rebootNeeded.length > 0;
}

function whatFor({ state, report }: RebootInput): string {
  const parts = partsText(report.rebootNeeded);
  if (state !== 'reboot') return `only a reboot replaces ${parts}`;
  const differs = parts === '' ? '' : `, and ${parts} with it`;
  return `it is set for the next boot${differs}; the running system is the one before`;
}

/** A reboot that failed here is not tried again with the same system; one that failed in passing waits. */
function obstacleToReboot({
  view,
  target,
  remembered: { failed, setback },
  patience,
  now,
}: RebootInput): (Pick<Said, 'kind' | 'reason'> & Partial<Said>) | undefined {
  const { toplevel } = target;
  if (view.spec.reboot.when === 'never') return undefined;
  if (failed?.toplevel === toplevel) {
    return {
      kind: 'stalled',
      waitsFor: 'commit or retry',
      code: failed.failure.code,
      reason: `its reboot failed before: ${failed.failure.message}`,
    };
  }
  if (setback?.toplevel !== toplevel) return undefined;
  const { code, message } = setback.failure;
  if (needsSomeone(setback.failure)) {
    return { kind: 'stalled', waitsFor: 'commit or retry', code, reason: message };
  }
  if (setback.unconfirmed >= 2) {
    return {
      kind: 'stalled',
      waitsFor: 'commit or retry',
      code,
      reason: `rebooted ${setback.unconfirmed} times without a confirmation: ${message}`,
    };
  }
  return pausedOrUnready(view, target, setback, patience, now);
}

function begins({ action, kind }: Verdict): boolean {
  return action === 'reboot' && (kind === 'deliver' || kind === 'activate');
}

/**
 * Lets no more than so many hosts reboot at once: those that are at it, then those whose reboot has been made, then by
 * name. The others wait for their turn. Pure; `verdicts` are sorted by host.
 */
export function limitReboots(
  verdicts: readonly Verdict[],
  { deployments, memory }: Pick<Observed, 'deployments' | 'memory'>,
  hosts: ReadonlyMap<HostName, HostSpec>,
  atOnce: number,
): readonly Verdict[] {
  if (!verdicts.some(begins)) return verdicts;
  const rebooting = new Set<HostName>();
  // Of whom the repository does not name any more nobody waits for the end: it may never come.
  for (const deployment of deployments) {
    if (deployment.action === 'reboot' && isActive(deployment) && hosts.has(deployment.host)) {
      rebooting.add(deployment.host);
    }
  }
  // What the store has forgotten goes on all the same, until the ledger has its outcome.
  for (const host of hosts.keys()) {
    for (const { aim } of memory.hosts.get(host)?.openIntents.values() ?? []) {
      if (aim.action === 'reboot') rebooting.add(host);
    }
  }
  // What else holds a host up must not hold up the others.
  const wanting = verdicts.filter((verdict) => begins(verdict) && !rebooting.has(verdict.host));
  const inTurn = [
    ...wanting.filter(({ deployment }) => deployment !== undefined),
    ...wanting.filter(({ deployment }) => deployment === undefined),
  ];
  const allowed = new Set(inTurn.slice(0, Math.max(0, atOnce - rebooting.size)).map(({ host }) => host));
  return verdicts.map((verdict): Verdict => {
    if (!begins(verdict) || rebooting.has(verdict.host) || allowed.has(verdict.host)) return verdict;
    return {
      ...verdict,
      kind: 'wait',
      waitsFor: 'budget',
      reason: `${verdict.reason}; at most ${atOnce === 1 ? 'one host reboots' : `${atOnce} hosts reboot`} at once`,
    };
  });
}
