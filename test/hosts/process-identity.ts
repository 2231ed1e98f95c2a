import { readFile } from 'node:fs/promises';

/** A process that can't be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between the machine's boot and the start of the process. */
  readonly startTime: string;
}

export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (line === undefined) return undefined;
  // The name of the program, in parentheses, may hold anything: count from its end.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const startTime = fields[19];
  return startTime === undefined || fields[0] === 'Z' ? undefined : { pid, startTime };
}

export async function ownProcess(): Promise<ProcessIdentity> {
  const identity = await identityOf(process.pid);
  if (identity === undefined) throw new RangeError('/proc is not mounted');
  return identity;
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identityOf(identity.pid))?.startTime === identity.startTime;
}

/** The identity in a JSON text, or `undefined` if there is none. */
export function parseProcess(text: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('startTime' in value))
      return undefined;
    const { pid, startTime } = value;
    return typeof pid === 'number' && typeof startTime === 'string' ? { pid, startTime } : undefined;
  } catch {
    return undefined;
  }
}
