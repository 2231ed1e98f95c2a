import { FleetError } from '../../shared/domain/errors.ts';
import { asRoot } from '../ssh/remote-shell.ts';
import type { Session } from '../ssh/session.ts';

/** How much of what it said is told. */
const tailLength = 500;
/** For the connection, on top of what the program itself may take. */
const graceMs = 2_000;

// Looked up in the system that runs now: that is the one that is checked.
const command = asRoot(
  [
    'PATH=/run/current-system/sw/bin:/run/booted-system/sw/bin:/usr/bin:/bin',
    'export PATH',
    'IFS= read -r seconds || exit 64',
    'set --',
    'while IFS= read -r line; do set -- "$@" "$line"; done',
    'exec timeout -k 5 "$seconds" "$@" < /dev/null 2>&1',
  ].join('\n'),
);

interface HostAnswer {
  /** `undefined`: it was ended because it took too long. */
  readonly code: number | undefined;
  readonly tail: string;
}

/**
 * Runs one program on the host to its end, as root, without a shell.
 * @throws FleetError HOST_UNREACHABLE when the connection is lost, CANCELLED
 */
async function runOnHost(
  session: Session,
  argv: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<HostAnswer> {
  const seconds = Math.max(1, Math.ceil(timeoutMs / 1_000));
  const began = performance.now();
  let tail = '';
  try {
    const { code } = await session.exec(command, {
      stdin: `${[String(seconds), ...argv].join('\n')}\n`,
      deadlineMs: seconds * 1_000 + graceMs,
      signal,
      maxOutputBytes: 4_096,
      onLine: (line) => {
        tail = `${tail} ${line}`.slice(-tailLength);
      },
    });
    // `timeout` asks it to end (124), and kills it where that does not help (137, as whoever else would).
    const late = code === 124 || (code === 137 && performance.now() - began >= seconds * 1_000);
    return { code: late ? undefined : code, tail: plain(tail) };
  } catch (thrown) {
    if (thrown instanceof FleetError && thrown.code === 'TIMED_OUT')
      return { code: undefined, tail: plain(tail) };
    throw thrown;
  }
}

export async function askUnit(
  session: Session,
  unit: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { code, tail } = await runOnHost(session, ['systemctl', 'is-active', '--', unit], timeoutMs, signal);
  return code === 0 ? undefined : `${unit} is ${tail || 'unknown'}`;
}

export async function askCommand(
  session: Session,
  argv: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { code, tail } = await runOnHost(session, argv, timeoutMs, signal);
  if (code === 0) return undefined;
  const how = code === undefined ? `did not end within ${timeoutMs / 1_000} s` : `ended with status ${code}`;
  return `the command ${argv[0] ?? ''} ${how}${tail === '' ? '' : `: ${tail}`}`;
}

function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').trim();
}
