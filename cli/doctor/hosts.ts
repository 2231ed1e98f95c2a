import type { HostStatus } from '../../shared/contracts/api.ts';
import type { ErrorCode } from '../../shared/domain/errors.ts';
import { partsText } from '../../shared/domain/contact.ts';
import { saidParts } from '../host-line.ts';
import { ago, bytes, until } from '../words.ts';
import { type Finding, firstLine, nixIsTooOld, oldestNixText } from './finding.ts';

const gibibyte = 1024 ** 3;
/** Below the first a new system hardly fits beside the old one; below the second there is not room for many. */
const tooLittleBytes = gibibyte;
const littleBytes = 4 * gibibyte;

/** A host that is not asked: the repository names it no more, or it must not be disturbed now. */
export function isAsked(host: HostStatus): boolean {
  return host.verdict !== 'orphaned' && host.waitsFor !== 'activation';
}

/** It has answered a probe that was asked for at that time, or the probe failed. */
export function hasAnswered(host: HostStatus, since: number): boolean {
  return (host.probeAskedAt ?? -Infinity) >= since;
}

/**
 * What is wrong with a host, or that nothing is. Pure. `since`: when all hosts were asked anew; `undefined` if they
 * could not be.
 */
export function hostFindings(host: HostStatus, when: When): readonly Finding[] {
  const wrong = wrongWith(host, when);
  const said = saidFindings(host, when.now);
  if (wrong.length + said.length > 0) return [...wrong, ...said];
  const free = host.freeBytes === undefined ? '' : `, ${bytes(host.freeBytes)} free`;
  return [findingOf(host, 'good', `${contactText(host, when.now)}${free}, ${host.reason}`)];
}

interface When {
  readonly now: number;
  readonly since: number | undefined;
}

function findingOf({ host }: HostStatus, grade: Finding['grade'], found: string, advice?: string): Finding {
  return { area: 'host', what: host, grade, found, ...(advice === undefined ? {} : { advice }) };
}

function contactText({ lastContactAt }: HostStatus, now: number): string {
  return lastContactAt === undefined ? 'never reached' : `reached ${ago(lastContactAt, now)}`;
}

/** What people said of it: in the words of every other command, and however the host is. */
function saidFindings(host: HostStatus, now: number): readonly Finding[] {
  const said = saidParts(host, now);
  if (said.length === 0) return [];
  const end = host.hold === undefined ? undefined : `varve release ${host.hold.scope}`;
  return [findingOf(host, 'note', said.join('; '), end)];
}

function wrongWith(host: HostStatus, { now, since }: When): readonly Finding[] {
  const finding = (grade: Finding['grade'], found: string, advice?: string): Finding =>
    findingOf(host, grade, found, advice);
  const contact = contactText(host, now);
  if (host.verdict === 'orphaned') {
    return [finding('note', 'the repository names it no more: it is not asked, and keeps what it runs')];
  }
  if (since !== undefined && isAsked(host) && !hasAnswered(host, since)) {
    return [
      finding(
        'bad',
        `no probe of it has come back (${contact})`,
        'does a worker run, and what does its log say?',
      ),
    ];
  }
  if (host.health === 'Unreachable' || host.verdict === 'unreachable') {
    const again = host.until === undefined ? '' : `; tried again ${until(host.until, now)}`;
    const what =
      host.failure === undefined ? 'unreachable' : `${host.failure.code} ${firstLine(host.failure.message)}`;
    return [finding('bad', `${what} (${contact}${again})`, host.failure?.hint ?? `is ${host.address} up?`)];
  }
  const wrong = [...judgements(host)].map(([grade, found, advice]) => finding(grade, found, advice));
  if (wrong.length > 0 || host.lastContactAt !== undefined) return wrong;
  return [finding('note', `never reached: ${host.reason}`)];
}

type Judgement = readonly [Finding['grade'], found: string, advice?: string];

/** Each is about one thing; a host can have several. */
function* judgements(host: HostStatus): Iterable<Judgement> {
  const { failure, failedUnits = [], failedChecks = [], freeBytes, nixVersion } = host;
  if (failure !== undefined) {
    const grade = host.sync === 'Stalled' || host.health === 'Degraded' ? 'bad' : 'note';
    const advice = remedies[failure.code] ?? failure.hint ?? 'varve why HOST';
    yield [grade, `${failure.code} ${firstLine(failure.message)}`, advice.replaceAll('HOST', host.host)];
  } else if (host.verdict === 'unmanaged') {
    yield ['note', 'it has no owner yet, so it is not changed', `varve adopt ${host.host}`];
  } else if (host.verdict === 'stalled') {
    yield ['bad', host.reason, `varve why ${host.host}`];
  }
  if (host.locked === true && host.waitsFor !== 'activation') {
    yield [
      'note',
      'a lock is held: somebody switches its configuration, or a deployment is not over there',
      "wait for its end; on the host: systemctl list-units 'varve-*', or who runs nixos-rebuild",
    ];
  }
  if (failedUnits.length > 0) {
    const [unit] = failedUnits;
    yield [
      host.health === 'Degraded' ? 'bad' : 'note',
      `failed units: ${failedUnits.join(', ')}`,
      `on the host: systemctl status ${unit}`,
    ];
  }
  if (failedChecks.length > 0) {
    yield ['bad', `failed checks: ${failedChecks.join('; ')}`, 'mend what the checks look at, or revert'];
  }
  if (freeBytes !== undefined && freeBytes < littleBytes) {
    yield [
      freeBytes < tooLittleBytes ? 'bad' : 'note',
      `only ${bytes(freeBytes)} (${freeBytes} bytes) are free for its store`,
      'on the host: nix-collect-garbage --delete-older-than 30d, or a larger disk',
    ];
  }
  if (nixVersion === '') {
    yield ['bad', 'it has no nix-store on its system path', 'add Nix to its configuration'];
  } else if (nixVersion !== undefined && nixIsTooOld(nixVersion)) {
    yield ['bad', `Nix ${nixVersion} is too old`, `give it Nix ${oldestNixText} or newer`];
  }
  const waiting = host.rebootNeeded ?? [];
  if (waiting.length > 0) {
    yield ['note', `it needs a reboot: ${partsText(waiting)}`, 'reboot it, or let its reboot policy do so'];
  }
}

/** Where the failure itself does not say what a person types. */
const remedies: Readonly<Partial<Record<ErrorCode, string>>> = {
  OWNED_BY: 'varve adopt HOST --takeover, if it is to be yours',
  DRIFTED: 'varve retry HOST brings it back; varve why HOST says what differs',
};
