import { FleetError } from '../../shared/domain/errors.ts';
import type { DrvPath } from '../../shared/domain/names.ts';
import { isDiskFull, tookTooLong, wasKilled, withoutQuotes } from '../nix/failure-words.ts';

/** A derivation that could not be built, as Nix said it. */
export interface FailedBuild {
  readonly drvPath: string;
  /** Nix's message. */
  readonly message: string;
  /** The end of the builder's log. */
  readonly log: readonly string[];
  /** It fetches: its output is named by its content. */
  readonly fixedOutput: boolean;
}

const quotedDerivation = /'(\/nix\/store\/[^'\s]+\.drv)(?:[!^][^']*)?'/;
/** Said of what was not tried, because something below it failed. */
const consequence =
  /dependenc(?:y|ies) of derivation|Reason: \d+ dependenc|^error: build of |some outputs of|dependencies couldn't be built/;

/** The derivation that a message says has failed by itself, not because of another one. */
export function failedDerivation(message: string): string | undefined {
  if (consequence.test(message)) return undefined;
  // Two are named where a machine of another kind is required: the derivation comes last.
  const names = [...message.matchAll(new RegExp(quotedDerivation, 'g'))].map((match) => match[1]);
  return names.at(0);
}

const notFetched =
  /unable to download|could not resolve host|connection (?:refused|reset|timed out)|network is unreachable|curl: \(\d+\)/i;

/** What a build that failed means for the deployment that needs it. */
export function buildError(failed: FailedBuild, toplevelDerivation: DrvPath): FleetError {
  // Nix quotes the builder's log in its message. A builder may say anything: that a test was refused its connection,
  // for example. Only of those that fetch it tells what they could not get.
  const said = withoutQuotes(failed.message);
  const log = failed.log.join('\n');
  const details = { derivation: failed.drvPath, toplevelDerivation, log };
  if (isDiskFull(`${said}\n${log}`)) return workerDiskFull(details);
  const name = failed.drvPath.slice('/nix/store/'.length + 33, -'.drv'.length);
  const why = firstLine(failed.message);
  if (tookTooLong(said)) return buildLimit(`the build of ${name} ${why}`, details);
  if (wasKilled(said)) return buildLimit(`the build of ${name} was killed: ${why}`, details);
  if (notFetched.test(failed.fixedOutput ? `${said}\n${log}` : said)) {
    return buildLimit(`the build of ${name} could not fetch what it needs: ${why}`, details);
  }
  const required = /is required to build|required system or feature not available/i.test(said);
  return new FleetError({
    code: 'BUILD_FAILED',
    disposition: 'stalled',
    message: `the build of ${name} failed: ${why}`,
    hint: required
      ? 'no worker can build this: give one the system and features it needs, or a remote builder'
      : 'read the end of its log, and commit a fix; `varve retry` builds it again as it is',
    details,
  });
}

/** A derivation whose failure is remembered: it is not built again. */
export function knownBadError(drvPath: string, toplevelDerivation: DrvPath): FleetError {
  const name = drvPath.slice('/nix/store/'.length + 33, -'.drv'.length);
  return new FleetError({
    code: 'BUILD_FAILED',
    disposition: 'stalled',
    message: `the build of ${name} failed before, and nothing about it has changed`,
    hint: 'commit a fix; `varve retry` builds it again as it is',
    details: { derivation: drvPath, toplevelDerivation, remembered: 'yes' },
  });
}

export function buildLimit(message: string, details: Readonly<Record<string, string>>): FleetError {
  return new FleetError({ code: 'BUILD_LIMIT', disposition: 'transient', message, details });
}

export function workerDiskFull(details: Readonly<Record<string, string>>): FleetError {
  return new FleetError({
    code: 'DISK_FULL',
    disposition: 'transient',
    message: "the worker's disk is full",
    hint: 'make room on the worker, for example with nix-collect-garbage',
    details: { ...details, where: 'worker' },
  });
}

function firstLine(message: string): string {
  const cut = message.replace(/^error: /, '');
  const reason = /Reason: (.*)/.exec(cut)?.[1];
  const line = reason ?? cut.split('\n')[0] ?? '';
  return line
    .replace(/^builder for '[^']*' /, '')
    .replace(/[;:.]\s*$/, '')
    .trim()
    .slice(0, 300);
}
