import { FleetError, type ErrorCode } from '../../shared/domain/errors.ts';
import type { PinnedSystem } from '../../shared/domain/facts.ts';
import { pinAt, type HostMemory, type Memory } from '../../shared/domain/memory.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { ReleasedHost } from '../../shared/domain/observation.ts';
import type { ViewContext } from '../views/context.ts';

/** Where a person wants a host back: a generation, a toplevel, or what was confirmed before what it leaves. */
export interface Wish {
  readonly toGeneration?: number | undefined;
  readonly toplevel?: string | undefined;
}

/**
 * The system that a host is to return to: one that ran there under this Varve, or what it ran when it was adopted.
 * @throws FleetError NOT_FOUND, CONFLICT, UNMANAGED
 */
export function returnOf(context: ViewContext, host: HostName, wish: Wish): PinnedSystem {
  const remembered = context.memory.hosts.get(host);
  if (remembered?.adopted === undefined) {
    throw refusal('UNMANAGED', `${host} has no owner yet`, `\`varve adopt ${host}\` first`);
  }
  const verdict = context.last?.verdicts.find((each) => each.host === host);
  if (verdict?.kind === 'orphaned') {
    throw refusal('CONFLICT', `the repository does not name ${host} any more: it is not touched`, undefined);
  }
  const to = chosen(context, host, remembered, wish);
  const contact = context.last?.snapshot.contacts.get(host);
  const runs = contact?.kind === 'reached' && contact.report.current === to.toplevel;
  const { confirmed } = remembered;
  const rests = confirmed?.toplevel === to.toplevel && !confirmed.awaitingReboot;
  if (runs && rests && unconfirmedOn(remembered) === undefined) {
    throw refusal(
      'CONFLICT',
      `${host} runs ${generationText(to)} already, confirmed`,
      `\`varve hold ${host}\` keeps it there; \`varve history ${host}\` lists its generations`,
    );
  }
  return to;
}

/**
 * What a host is on its way to, or was left with by a roll back that failed, and what was never confirmed there. It goes back
 * from that to what was.
 */
export function unconfirmedOn({ confirmed, openIntents, stuck }: HostMemory): StorePath | undefined {
  const underWay = [...openIntents.values()].filter(({ aim }) => aim.mode !== 'dry-activate');
  const systems = [...underWay.map(({ aim }) => aim.toplevel), stuck?.toplevel];
  return systems.find((toplevel) => toplevel !== undefined && toplevel !== confirmed?.toplevel);
}

function chosen(context: ViewContext, host: HostName, remembered: HostMemory, wish: Wish): PinnedSystem {
  const { memory } = context;
  const ran = ranOn(memory, host, remembered);
  if (wish.toGeneration !== undefined) {
    const found = generation(memory, host, wish.toGeneration, ran);
    if (found !== undefined) return found;
    throw refusal(
      'NOT_FOUND',
      `generation ${wish.toGeneration} has never run on ${host}`,
      `\`varve history ${host}\` lists its generations`,
    );
  }
  if (wish.toplevel !== undefined) {
    const found = ran.findLast(({ toplevel }) => toplevel === wish.toplevel);
    if (found !== undefined) return found;
    throw refusal(
      'NOT_FOUND',
      `${wish.toplevel.slice(0, 200)} has never run on ${host}`,
      `\`varve history ${host}\` lists its generations`,
    );
  }
  return before(context, host, remembered, ran);
}

function before(
  context: ViewContext,
  host: HostName,
  remembered: HostMemory,
  ran: readonly PinnedSystem[],
): PinnedSystem {
  const pin = pinAt(remembered, context.at);
  if (pin?.cause === 'person') {
    // The system before the present one is then the very one that it was taken away from.
    throw refusal(
      'CONFLICT',
      `${pin.by} has rolled ${host} back already, to ${generationText(pin.to)}`,
      `name another generation with --to, or let it follow again with \`varve release ${host}\``,
    );
  }
  if (pin !== undefined) {
    throw refusal(
      'CONFLICT',
      `it was rolled back already, to ${generationText(pin.to)}: ${pin.reason}`,
      `name another generation with --to; \`varve hold ${host}\` keeps it there`,
    );
  }
  const confirmed = unconfirmedOn(remembered) === undefined ? undefined : remembered.confirmed;
  const found =
    [confirmed, remembered.before]
      .map((known) => ran.findLast(({ toplevel }) => toplevel === known?.toplevel))
      .find((known) => known !== undefined) ??
    ran.find(({ toplevel, observation }) => observation === 0 && toplevel !== remembered.confirmed?.toplevel);
  if (found !== undefined) return found;
  throw refusal(
    'NOT_FOUND',
    `no other system than the present one has ever run on ${host} under this Varve`,
    'push a commit with the state that you want',
  );
}

/** What ran on a host, oldest first. Set for a boot does not count, until something says that it was booted. */
function ranOn(memory: Memory, host: HostName, { adopted }: HostMemory): readonly PinnedSystem[] {
  const outcomes = memory.outcomes.filter(({ aim }) => aim.host === host && aim.mode !== 'dry-activate');
  const replaced = new Set(outcomes.map(({ previous }) => previous));
  const ran = outcomes.filter(
    ({ phase, aim }) => phase === 'succeeded' || (phase === 'awaiting-reboot' && replaced.has(aim.toplevel)),
  );
  return [
    ...(adopted?.running === undefined
      ? []
      : [{ toplevel: adopted.running, drvPath: undefined, observation: 0 }]),
    ...ran.map(({ aim: { toplevel, drvPath, observation } }) => ({
      toplevel,
      drvPath,
      // A deployment that took the host back to generation 0 has the number of an observation all the same.
      observation:
        toplevel === adopted?.running && releasedTo(memory, host, observation)?.toplevel !== toplevel
          ? 0
          : observation,
    })),
  ];
}

/** By number: also of an observation that changed nothing there, and so needed no deployment. */
function generation(
  memory: Memory,
  host: HostName,
  n: number,
  ran: readonly PinnedSystem[],
): PinnedSystem | undefined {
  if (n === 0) return ran.find(({ observation }) => observation === 0);
  const released = releasedTo(memory, host, n);
  const found = ran.findLast(({ toplevel }) => toplevel === released?.toplevel);
  return found && { ...found, drvPath: released?.drvPath, observation: n };
}

/** What an observation wanted on a host. */
function releasedTo(memory: Memory, host: HostName, n: number): ReleasedHost | undefined {
  const key = memory.keys.get(n);
  return key === undefined ? undefined : memory.releases.get(key)?.hosts.get(host);
}

/** `generation 3`, as people know it from the history. */
export function generationText({ observation }: Pick<PinnedSystem, 'observation'>): string {
  return observation === 0 ? 'generation 0 (what it ran when it was adopted)' : `generation ${observation}`;
}

function refusal(code: ErrorCode, message: string, hint: string | undefined): FleetError {
  return new FleetError({ code, disposition: 'stalled', message, hint });
}
