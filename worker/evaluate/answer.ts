import { FleetError } from '../../shared/domain/errors.ts';
import { parseDrvPath, parseHostName, parseStorePath } from '../../shared/domain/names.ts';
import type { HostName } from '../../shared/domain/names.ts';
import type { ReleasedHost } from '../../shared/domain/observation.ts';

/** What the expression evaluated to. */
export interface Answer {
  /** The flake has the attribute that holds the configurations. */
  readonly found: boolean;
  readonly outputs: readonly string[];
  readonly names: readonly string[];
  readonly released: ReadonlyMap<HostName, ReleasedHost>;
  /** Hosts that were only listed, because they are too many for one process. */
  readonly listed: readonly HostName[];
  /** Hosts whose attribute does not exist. */
  readonly missing: readonly { readonly host: HostName; readonly attribute: string }[];
}

/** @throws FleetError EVALUATION_FAILED when a toplevel is no derivation; INTERNAL when Nix answers something unknown */
export function parseAnswer(text: string): Answer {
  const value = record(JSON.parse(text));
  const released = new Map<HostName, ReleasedHost>();
  const listed: HostName[] = [];
  const missing: { host: HostName; attribute: string }[] = [];
  for (const entry of list(value['hosts'])) {
    const fields = record(entry);
    const host = parseHostName(word(fields['host']));
    if (fields['missing'] !== undefined) missing.push({ host, attribute: word(fields['missing']) });
    else if (fields['drvPath'] === undefined) listed.push(host);
    else released.set(host, releasedHost(host, fields));
  }
  return {
    found: value['found'] === true,
    outputs: list(value['outputs']).map(word),
    names: list(value['names']).map(word),
    released,
    listed,
    missing,
  };
}

function releasedHost(host: HostName, fields: Record<string, unknown>): ReleasedHost {
  try {
    return {
      drvPath: parseDrvPath(word(fields['drvPath'])),
      toplevel: parseStorePath(word(fields['toplevel'])),
    };
  } catch (cause) {
    throw new FleetError({
      code: 'EVALUATION_FAILED',
      disposition: 'stalled',
      message: `config.system.build.toplevel of ${host} is not a derivation with one output in /nix/store`,
      details: { host },
      cause,
    });
  }
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw unknownAnswer();
  return Object.fromEntries(Object.entries(value));
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw unknownAnswer();
  return value;
}

function word(value: unknown): string {
  if (typeof value !== 'string') throw unknownAnswer();
  return value;
}

function unknownAnswer(): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: 'nix eval answered something unknown',
  });
}
