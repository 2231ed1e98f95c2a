import { z } from 'zod';

import { driftKinds, type Drift, type Sighting } from '../../shared/domain/drift.ts';

const optionalCount = z.string().transform((text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined));
const optionalSeconds = z
  .string()
  .transform((text) => (/^\d{1,15}(?:\.\d{1,9})?$/.test(text) ? Number(text) : undefined));

/** What the probe's script says of a host that is not as it was expected to be. */
export const DriftSaid = z.object({
  kind: z.enum(driftKinds),
  at: optionalSeconds,
  generation: optionalCount,
  /** When Varve itself changed the host last. */
  since: optionalSeconds,
  journal: z.array(z.string()),
  users: z.array(z.string()),
});
export type DriftSaid = z.infer<typeof DriftSaid>;

const mostLogins = 3;
/** A `nixos-rebuild` that builds first may take long until it switches. */
const rebuildMs = 3_600_000;
const slackMs = 1_000;
/** No calendar goes on after it: a later time would be one that nobody who is shown it can read. */
const lastSecond = 8_640_000_000_000;

/** `ownKeys`: fingerprints of keys that are Varve's, whose logins are no news. */
export function driftOf(said: DriftSaid, ownKeys: ReadonlySet<string>): Drift {
  const { kind, generation } = said;
  const at = said.at === undefined || said.at > lastSecond ? undefined : Math.round(said.at * 1_000);
  return { kind, generation, at, sightings: at === undefined ? [] : sightings(said, at, ownKeys) };
}

function sightings(said: DriftSaid, at: number, ownKeys: ReadonlySet<string>): readonly Sighting[] {
  const entries = said.journal.flatMap((line) => entryOf(line) ?? []);
  const uids = uidsOf(said.users);
  // What somebody did before Varve changed the host is undone.
  const after = Math.max(at - rebuildMs, (said.since ?? 0) * 1_000);
  const ran = entries
    .flatMap((entry) => sudoOf(entry, uids) ?? [])
    .filter((sighting) => sighting.at > after && sighting.at <= at + slackMs)
    .toSorted((a, b) => b.at - a.at);
  return ran.length > 0 ? ran.slice(0, 1) : loginsAt(entries, at, uids, ownKeys);
}

interface Entry {
  readonly at: number;
  readonly identifier: string;
  readonly uid: number;
  readonly message: string;
}

const entrySchema = z.object({
  __REALTIME_TIMESTAMP: z.string().regex(/^\d{1,18}$/),
  SYSLOG_IDENTIFIER: z.string(),
  _UID: z.string().regex(/^\d{1,10}$/),
  MESSAGE: z.string(),
});

/** A line that was cut off, or whose message is binary, says nothing. */
function entryOf(line: string): Entry | undefined {
  try {
    const {
      __REALTIME_TIMESTAMP: microseconds,
      SYSLOG_IDENTIFIER: identifier,
      _UID: uid,
      MESSAGE: message,
    } = entrySchema.parse(JSON.parse(line));
    return { at: Math.floor(Number(microseconds) / 1_000), identifier, uid: Number(uid), message };
  } catch {
    return undefined;
  }
}

const userName = /^[A-Za-z_][A-Za-z0-9_.@-]{0,63}$/;

function uidsOf(users: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    users.flatMap((line): readonly (readonly [string, number])[] => {
      const [, name, uid] = /^([^:]+):(\d{1,10})$/.exec(line) ?? [];
      return name === undefined || !userName.test(name) ? [] : [[name, Number(uid)]];
    }),
  );
}

/** Anybody can write into a journal in sudo's name, but not as another user: that is the kernel's word. */
function sudoOf(entry: Entry, uids: ReadonlyMap<string, number>): Sighting | undefined {
  if (entry.identifier !== 'sudo') return undefined;
  const said = /^\s*(\S+) : (?:TTY=[^;]* ; )?PWD=.*? ; USER=root ; (?:[A-Z]+=[^;]* ; )*COMMAND=(.+)$/s.exec(
    entry.message,
  );
  const [, user = '', command = ''] = said ?? [];
  if (!userName.test(user) || (entry.uid !== 0 && uids.get(user) !== entry.uid)) return undefined;
  const change = changeIn(command);
  return change === undefined ? undefined : { kind: 'sudo', user, command: change, at: entry.at };
}

const acts = new Map([
  ['nixos-rebuild', ['switch', 'boot', 'test', '--rollback']],
  ['nixos-rebuild-ng', ['switch', 'boot', 'test', '--rollback']],
  ['switch-to-configuration', ['switch', 'boot', 'test']],
  ['nix-env', ['--set', '--rollback', '--switch-generation', '-G']],
]);

/** What of a command changes systems, in words that are known: whatever else is in it may be a secret, or a trick. */
function changeIn(command: string): string | undefined {
  const [path = '', ...args] = command.split(/\s+/);
  const program = path.slice(path.lastIndexOf('/') + 1);
  const words = acts.get(program)?.filter((act) => args.includes(act)) ?? [];
  return words.length === 0 ? undefined : [program, ...words].join(' ');
}

/** Ports and addresses begin as others do. */
function isOf(message: string, from: string, port: string): boolean {
  const words = ` ${from} port ${port}`;
  const at = message.indexOf(words);
  return at >= 0 && !/\d/.test(message.charAt(at + words.length));
}

/** Who had an SSH login open then, latest first, each once; its beginning and end are sshd's own words. */
function loginsAt(
  entries: readonly Entry[],
  at: number,
  uids: ReadonlyMap<string, number>,
  ownKeys: ReadonlySet<string>,
): readonly Sighting[] {
  const ssh = entries.filter(({ identifier }) => identifier === 'sshd' || identifier === 'sshd-session');
  const open = new Map<string, Sighting>();
  for (const { at: begun, uid, message } of ssh.toSorted((a, b) => b.at - a.at)) {
    const login = /^Accepted \S+ for (\S+) from ([0-9A-Za-z.:%-]{1,64}) port (\d+) ssh2/.exec(message);
    const [, user = '', from = '', port = ''] = login ?? [];
    if (uid !== 0 || begun > at + slackMs || !userName.test(user)) continue;
    const key = /SHA256:[0-9A-Za-z+/]+/.exec(message)?.[0];
    if (key !== undefined && ownKeys.has(key)) continue;
    const ended = ssh.some(
      (end) =>
        end.at >= begun &&
        end.at < at &&
        (end.uid === 0 || end.uid === uids.get(user)) &&
        /^(Disconnected from|Connection closed by|Received disconnect from) /.test(end.message) &&
        isOf(end.message, from, port),
    );
    const who = `${user} ${from}`;
    if (!ended && !open.has(who)) open.set(who, { kind: 'login', user, from, at: begun });
  }
  return [...open.values()].slice(0, mostLogins);
}
