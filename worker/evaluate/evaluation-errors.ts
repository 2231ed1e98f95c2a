import { FleetError } from '../../shared/domain/errors.ts';
import { failureText } from '../nix/failure-text.ts';
import { isDiskFull, tookTooLong, wasKilled, withoutQuotes } from '../nix/failure-words.ts';
import type { NixMessage, Position } from '../nix/log.ts';
import type { NixResult } from '../nix/nix.ts';
import { hostContext, sourceMark } from './expression.ts';

const longestMessage = 1_200;

/** Where the tree was evaluated, for file names as the repository has them. */
export interface EvaluatedFrom {
  /** The flake's folder in the repository. */
  readonly folder: string;
  /** The store path of the tree, once Nix has said it. */
  readonly source: string | undefined;
}

/** The store path of the evaluated tree, if this is the message that tells it. */
export function sourceIn(message: NixMessage): string | undefined {
  const at = message.text.indexOf(`${sourceMark} `);
  return at < 0 ? undefined : message.text.slice(at + sourceMark.length + 1).trim();
}

/** Why a process that evaluates ended without an answer. */
export function evaluationError(result: NixResult, from: EvaluatedFrom): FleetError {
  const text = failureText(result);
  // The words of the errors only: traces quote the repository's code, which may say anything.
  const said = result.errors.map((error) => error.summary ?? error.text).join('\n');
  const whole = `${said}\n${plainLines(result.stderrTail)}`;
  if (ranOutOfMemory(result, whole)) return limit('it ran out of memory', 'memory', memoryHint);
  if (isDiskFull(whole)) return diskFull(said);
  // Of a build that the evaluation needs (import from derivation).
  const build = withoutQuotes(said);
  if (/builder for|build of|Cannot build/.test(build) && (tookTooLong(build) || wasKilled(build))) {
    return limit(`a build that it needs was ended: ${firstLine(build)}`, 'build', undefined);
  }
  if (lockIncomplete.test(said)) return lockFileIncomplete(said, from);
  if (notFetched.test(said) && !unlikeAFetch.test(said)) {
    return limit(`an input could not be fetched: ${said}`, 'fetch', fetchHint);
  }
  if (/database is (?:busy|locked)|interrupted by the user/i.test(said)) {
    return limit(`the store was busy: ${said}`, 'store', undefined);
  }
  if (result.code === undefined) {
    return limit(`nix was ended by ${result.signal}`, 'signal', memoryHint);
  }
  return evaluationFailed(result, text, from);
}

/** A limit was met: transient, never remembered. */
export function limit(why: string, which: string, hint: string | undefined): FleetError {
  return new FleetError({
    code: 'EVALUATION_LIMIT',
    disposition: 'transient',
    message: `the evaluation did not come to an end: ${why.slice(0, longestMessage)}`,
    hint,
    details: { limit: which },
  });
}

/** The evaluation used up its memory, so a smaller part of it may still succeed. */
export function isMemoryLimit(error: unknown): boolean {
  return (
    error instanceof FleetError &&
    error.code === 'EVALUATION_LIMIT' &&
    (error.details?.['limit'] === 'memory' || error.details?.['limit'] === 'signal')
  );
}

const memoryHint = 'give the worker more memory, or let it evaluate fewer hosts at once';
const fetchHint = 'see that the worker reaches the inputs of the flake, and has what it takes to read them';

const lockIncomplete =
  /requires lock file changes|lock file .*(?:does not|doesn't) (?:contain|match)|cannot (?:update|write).*(?:lock file|flake input)|(?:not|un)locked (?:flake|input)|is not locked|cannot call 'getFlake' on (?:unlocked|mutable)|is mutable|cannot resolve.*indirect|cannot find flake 'flake:|indirect flake references/i;
const notFetched =
  /unable to download|could ?n[o']t resolve host|failed to connect|connection (?:refused|reset|timed out)|program 'git' failed|network is unreachable|HTTP error \d+|SSL (?:connect|peer|certificate)|cannot fetch|timeout was reached|failed to fetch|could not read from remote/i;
/** An input whose contents are not what was locked is wrong for ever. */
const unlikeAFetch = /hash mismatch/i;

function ranOutOfMemory(result: NixResult, text: string): boolean {
  if (result.signal === 'SIGKILL') return true;
  return /out of memory|std::bad_alloc|cannot allocate memory|too many heap sections|failed to (?:allocate|expand|mmap)/i.test(
    text,
  );
}

function plainLines(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('@nix '))
    .join('\n')
    .slice(-8_000);
}

function diskFull(text: string): FleetError {
  return new FleetError({
    code: 'DISK_FULL',
    disposition: 'transient',
    message: `the worker's disk is full: ${text.slice(0, longestMessage)}`,
    hint: 'make room on the worker, for example with nix-collect-garbage',
  });
}

function lockFileIncomplete(text: string, from: EvaluatedFrom): FleetError {
  const folder = from.folder === '.' ? 'the repository' : from.folder;
  return new FleetError({
    code: 'LOCK_FILE_INCOMPLETE',
    disposition: 'stalled',
    message: `flake.lock does not lock every input of the flake: ${firstLine(text)}`,
    hint: `run \`nix flake lock\` in ${folder} and commit flake.lock`,
    details: { folder: from.folder },
  });
}

function evaluationFailed(result: NixResult, text: string, from: EvaluatedFrom): FleetError {
  const error = result.errors.findLast((each) => each.summary !== undefined) ?? result.errors.at(-1);
  const host = error?.trace.map((frame) => hostContext.exec(frame.text)?.[1]).find((name) => name);
  const position = error === undefined ? undefined : placeOf(error, from);
  const place = position === undefined ? '' : `${position.file}:${position.line}: `;
  const what = (error?.summary ?? text).trim().slice(0, longestMessage);
  return new FleetError({
    code: 'EVALUATION_FAILED',
    disposition: 'stalled',
    message: `${place}${what}${host === undefined ? '' : ` (while evaluating ${host})`}`,
    hint: 'no host was touched; fix the expression and commit',
    details: {
      ...(position === undefined ? {} : { file: position.file, line: String(position.line) }),
      ...(host === undefined ? {} : { host }),
    },
  });
}

/** The error's own place, or else the innermost one that lies in the repository, or else in an input. */
function placeOf(error: NixMessage, from: EvaluatedFrom): Position | undefined {
  const places = [error.at, ...error.trace.map((frame) => frame.at)].filter(
    (place) => place !== undefined && place.file.startsWith('/'),
  );
  const ours = places.map((place) => inRepository(place, from)).find((place) => place !== undefined);
  return ours ?? places[0];
}

function inRepository(place: Position | undefined, from: EvaluatedFrom): Position | undefined {
  const base = from.source?.split('/').at(-1);
  if (place === undefined || base === undefined) return undefined;
  const at = place.file.indexOf(`/${base}/`);
  return at < 0 ? undefined : { file: place.file.slice(at + base.length + 2), line: place.line };
}

function firstLine(text: string): string {
  return (text.split('\n').find((line) => line.trim() !== '') ?? '').trim().slice(0, longestMessage);
}
