import type { FactOf } from './facts.ts';
import { type Connection, sameConnection } from './fleet.ts';
import { type Draft, change, hostOf } from './memory-draft.ts';
import { type Confirmed, type HostMemory, type Lasting, connectionAs, runsOn } from './memory.ts';
import type { HostName, StorePath } from './names.ts';

type Outcome = FactOf<'outcome'>;

/** So many connections are tried of a host that does not answer otherwise. */
const answersKept = 6;

/** What a host runs from now on, or after its next boot, and what it is to return to. */
export function learnConfirmed(draft: Draft, fact: Outcome): void {
  const { aim } = fact;
  const host = hostOf(draft, aim.host);
  const isTest = aim.mode === 'test';
  const now: Lasting = { confirmed: host.confirmed, before: host.before };
  change(draft, aim.host, {
    stuck: undefined,
    mayReplace: undefined,
    // What was only tested is nothing to return to once something else is there for good.
    before: beforeThat(isTest ? now : (host.lasting ?? now), fact),
    lasting: isTest ? (host.lasting ?? now) : undefined,
    answered: answeredAs(host, fact.connection),
    onTrial: staysOnTrial(draft, fact, host),
    heals: healsAfter(host, fact),
    confirmed: confirmedBy(draft, fact, host),
  });
}

/** What was set for a boot that never came did not run, and is nothing to return to. */
function beforeThat({ confirmed, before }: Lasting, { aim, previous }: Outcome): Confirmed | undefined {
  if (confirmed === undefined || confirmed.toplevel === aim.toplevel) return before;
  const neverRan = confirmed.awaitingReboot && previous !== undefined && previous !== confirmed.toplevel;
  return neverRan ? before : confirmed;
}

/** The newest first. */
export function answeredAs({ answered }: HostMemory, connection: Connection): readonly Connection[] {
  return [connection, ...answered.filter((other) => !sameConnection(other, connection))].slice(
    0,
    answersKept,
  );
}

function confirmedBy(draft: Draft, fact: Outcome, { confirmed }: HostMemory): Confirmed {
  const { aim, phase, previous, at, connection } = fact;
  const awaitingReboot = phase === 'awaiting-reboot';
  return {
    deployment: aim.deployment,
    observation: aim.observation,
    toplevel: aim.toplevel,
    drvPath: aim.drvPath,
    connection,
    mode: aim.mode,
    at,
    awaitingReboot,
    beforeReboot: awaitingReboot ? untilReboot(draft, aim.host, previous, confirmed) : undefined,
  };
}

/**
 * How a host answers until it is rebooted: as what it ran when it was last seen. That may be what was to wait for its reboot
 * so far, where somebody has rebooted the host meanwhile.
 */
function untilReboot(
  draft: Draft,
  host: HostName,
  toplevel: StorePath | undefined,
  confirmed: Confirmed | undefined,
): Confirmed['beforeReboot'] {
  const known = toplevel === undefined ? undefined : connectionAs(draft, host, toplevel);
  return { toplevel, connection: known ?? runsOn(confirmed) };
}

/** Whether what is confirmed now is new there, or was on trial already, and comes with a release that may still fail. */
function staysOnTrial(
  { rollout }: Draft,
  { aim }: Outcome,
  { confirmed, desired, onTrial }: HostMemory,
): boolean {
  if (aim.toplevel !== desired || rollout?.over === true) return false;
  const isNew = confirmed?.toplevel !== aim.toplevel || confirmed.mode !== aim.mode;
  return onTrial || (isNew && aim.action !== 'reboot');
}

const healedForMs = 24 * 3_600_000;

/**
 * Brought again to what was confirmed already: it had been changed. A reboot brings nothing back, a test is lost with every
 * reboot, and to make lasting what was tested is no repair. A day without drift, and the next time does not wait.
 */
function healsAfter({ confirmed, heals }: HostMemory, { aim, at }: Outcome): HostMemory['heals'] {
  if (confirmed?.toplevel !== aim.toplevel) return undefined;
  if (aim.action === 'reboot' || aim.mode === 'test' || confirmed.mode !== aim.mode) return heals;
  const again = heals !== undefined && at - heals.at < healedForMs;
  return { count: again ? heals.count + 1 : 1, at };
}

/**
 * A host that was rebooted in vain runs what it was booted with before: that is no drift. Which system that is, only the
 * host can tell; it need not be the one that was confirmed before. One that went down before its reboot was ordered has
 * come back as that, too, but boots what is wanted the next time.
 */
export function learnReturn(draft: Draft, fact: Outcome): void {
  const { aim, phase, previous } = fact;
  const { confirmed, before } = hostOf(draft, aim.host);
  if (confirmed?.toplevel !== aim.toplevel || previous === aim.toplevel) return;
  if (phase === 'failed' && fact.failure?.code === 'POWER_LOST') {
    const beforeReboot = untilReboot(draft, aim.host, previous, confirmed);
    return change(draft, aim.host, { confirmed: { ...confirmed, awaitingReboot: true, beforeReboot } });
  }
  if (phase !== 'rolled-back' && phase !== 'unconfirmed') return;
  if (previous === undefined) return change(draft, aim.host, { confirmed: undefined });
  change(draft, aim.host, {
    confirmed: confirmedAs(draft, fact, previous, confirmed),
    before:
      before?.toplevel === previous
        ? ran(draft, aim.host, (other) => other !== previous && other !== aim.toplevel)
        : before,
  });
}

/** What is known of a system that a host is back on; nothing, if somebody else had brought it there. */
function confirmedAs(draft: Draft, { aim, at }: Outcome, toplevel: StorePath, last: Confirmed): Confirmed {
  const { before } = hostOf(draft, aim.host);
  const known = before?.toplevel === toplevel ? before : ran(draft, aim.host, (other) => other === toplevel);
  if (known !== undefined) return { ...known, awaitingReboot: false, beforeReboot: undefined };
  const unknown = { deployment: undefined, observation: 0, drvPath: undefined, mode: undefined };
  return { ...unknown, toplevel, connection: last.connection, at, awaitingReboot: false };
}

/** The last that was brought to a host for good and ran there, of those that are meant; or what it was adopted with. */
function ran(draft: Draft, host: HostName, isMeant: (toplevel: StorePath) => boolean): Confirmed | undefined {
  const outcome = draft.outcomes.findLast(
    ({ aim, phase }) =>
      aim.host === host &&
      phase === 'succeeded' &&
      (aim.mode === 'switch' || aim.mode === 'boot') &&
      isMeant(aim.toplevel),
  );
  if (outcome !== undefined) return confirmedBy(draft, outcome, hostOf(draft, host));
  const { adopted } = hostOf(draft, host);
  if (adopted?.running === undefined || !isMeant(adopted.running)) return undefined;
  return generationZero(adopted, adopted.running);
}

/** What a host ran when it was adopted. */
export function generationZero(
  { connection, at }: Pick<Confirmed, 'connection' | 'at'>,
  toplevel: StorePath,
): Confirmed {
  return {
    deployment: undefined,
    observation: 0,
    toplevel,
    drvPath: undefined,
    connection,
    mode: undefined,
    at,
    awaitingReboot: false,
  };
}
