import type { Fleet, HostSpec } from '../../shared/domain/fleet.ts';
import type { Amount, RolloutPolicy, Wave, Window } from '../../shared/domain/policy.ts';
import { scopeText } from '../../shared/domain/policy.ts';
import { type Column, renderTable } from '../table.ts';
import { type Terminal, harmless } from '../terminal.ts';
import { counted, duration } from '../words.ts';

type Look = Pick<Terminal, 'width' | 'paint' | 'signs'>;

/** More names than these say less than their number does. */
const namedHosts = 12;

/** What a `varve.yaml` was understood to say, beside each host's own: one block of lines after another. */
export function policyText(fleet: Fleet, hosts: readonly HostSpec[], look: Look): readonly string[] {
  return [
    [rolloutLine(fleet.rollout)],
    waveTable(fleet.rollout.waves, hosts, look),
    groupTable(fleet, hosts, look),
    afterTable(hosts, look),
    windowTable(hosts, look),
    freezeTable(fleet, look),
  ].flatMap((block) => (block.length === 0 ? [] : ['', ...block]));
}

const failedWave = {
  halt: 'stops the rollout',
  'rollback-wave': 'is rolled back, and the rollout stops',
  'rollback-all': 'has every host of the rollout rolled back, and the rollout stops',
} satisfies Record<Exclude<RolloutPolicy['onFailure'], 'continue'>, string>;

function rolloutLine({ waves, maxUnavailable, failureThreshold, onFailure, rebootsAtOnce }: RolloutPolicy) {
  return [
    waves.length === 1
      ? 'a release goes to every host at once'
      : `a release goes through ${waves.length} waves`,
    ...(maxUnavailable === undefined
      ? []
      : [`at most ${amountText(maxUnavailable)} of the fleet in work or unhealthy`]),
    onFailure === 'continue'
      ? 'a failed host stops no other'
      : `a wave with ${amountText(failureThreshold)} failed ${failedWave[onFailure]}`,
    `${counted(rebootsAtOnce, 'reboot')} at once`,
  ].join('; ');
}

function waveTable(waves: readonly Wave[], hosts: readonly HostSpec[], look: Look): readonly string[] {
  if (
    waves.length === 1 &&
    waves.every((wave) => wave.soakMs === 0 && !wave.approval && !wave.maxUnavailable)
  ) {
    return [];
  }
  return table(
    ['WAVE', 'AT ONCE', 'SOAK', 'APPROVAL', '>HOSTS', 'WHICH'],
    waves.map(({ name, maxUnavailable, soakMs, approval }) => [
      look.paint('bold', name),
      budgetText(maxUnavailable),
      soakMs === 0 ? '-' : duration(soakMs),
      approval ? 'needed' : '-',
      ...namesOf(
        hosts.filter(({ wave }) => wave === name),
        look,
      ),
    ]),
    look,
  );
}

function groupTable({ groups }: Fleet, hosts: readonly HostSpec[], look: Look): readonly string[] {
  return table(
    ['GROUP', 'AT ONCE', 'APPROVAL', '>HOSTS', 'WHICH'],
    groups.map(({ name, maxUnavailable, approval }) => [
      look.paint('bold', name),
      budgetText(maxUnavailable),
      approval ? 'needed' : '-',
      ...namesOf(
        hosts.filter((host) => host.groups.includes(name)),
        look,
      ),
    ]),
    look,
  );
}

function afterTable(hosts: readonly HostSpec[], look: Look): readonly string[] {
  // Hosts with the same dependencies share the array.
  const dependants = groupBy(
    hosts.filter(({ after }) => after.length > 0),
    ({ after }) => [after],
  );
  return table(
    ['AFTER', '>HOSTS', 'WHICH'],
    [...dependants].map(([after, those]) => [shortList(after, look), ...namesOf(those, look)]),
    look,
  );
}

function windowTable(hosts: readonly HostSpec[], look: Look): readonly string[] {
  const users = groupBy(hosts, ({ windows }) => new Set(windows.map(windowText)));
  return table(
    ['WINDOW', '>HOSTS', 'WHICH'],
    [...users].map(([window, those]) => [window, ...namesOf(those, look)]),
    look,
  );
}

/** `allow 0 22 * * 1-5 for 8 h (Europe/Berlin)` */
function windowText({ kind, schedule, durationMs, timeZone }: Window): string {
  return `${kind} ${schedule} for ${duration(durationMs)} (${timeZone})`;
}

function freezeTable({ freezes }: Fleet, look: Look): readonly string[] {
  return table(
    ['FROZEN', 'FROM', 'UNTIL', 'BY', 'WHY'],
    freezes.map(({ scope, from, until, author, reason }) => [
      scopeText(scope),
      new Date(from).toISOString(),
      new Date(until).toISOString(),
      harmless(author),
      harmless(reason),
    ]),
    look,
  );
}

/** Nothing where there is no row; a title that begins with `>` is of a column of numbers. */
function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  look: Look,
): readonly string[] {
  const columns = titles.map((title): Column =>
    title.startsWith('>') ? { title: title.slice(1), align: 'right' } : { title },
  );
  return rows.length === 0 ? [] : renderTable(columns, rows, look);
}

function groupBy<Item, Key>(items: readonly Item[], keysOf: (item: Item) => Iterable<Key>): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    for (const key of keysOf(item)) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [item]);
      else group.push(item);
    }
  }
  return groups;
}

/** How many, and which. */
function namesOf(hosts: readonly HostSpec[], look: Look): readonly [string, string] {
  return [
    String(hosts.length),
    shortList(
      hosts.map(({ name }) => name),
      look,
    ),
  ];
}

function shortList(names: readonly string[], { signs }: Look): string {
  if (names.length === 0) return '-';
  const more = names.length > namedHosts ? [`${signs.ellipsis} and ${names.length - namedHosts} more`] : [];
  return [...names.slice(0, namedHosts), ...more].join(', ');
}

function budgetText(amount: Amount | undefined): string {
  return amount === undefined ? '-' : amount.unit === 'percent' ? `${amount.value}%` : String(amount.value);
}

function amountText({ unit, value }: Amount): string {
  return unit === 'percent' ? `${value}%` : counted(value, 'host');
}
