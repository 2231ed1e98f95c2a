import { type HostStatus, Status } from '../../shared/contracts/api.ts';
import { nearest } from '../../shared/contracts/nearest.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { parseHostName } from '../../shared/domain/names.ts';
import { type CommandContext, print } from '../context.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { paintedHealth, paintedSync, saidParts, signOf, whatHappens } from '../host-line.ts';
import type { Terminal } from '../terminal.ts';
import { ago, bytes, shortRevision } from '../words.ts';
import { suspensionLine } from './banner.ts';
import { codeOf, failureLines } from './status.ts';

/** `varve status <host>`: everything that is known of one host now. */
export async function runHostStatus(
  context: CommandContext,
  hostText: string,
  options: { readonly exitCode: boolean },
): Promise<ExitCode> {
  const name = parseHostName(hostText);
  const status = await context.api.get('/status', Status);
  const host = status.hosts.find((each) => each.host === name) ?? unknown(name, status);
  const code = options.exitCode ? codeOf({ ...status, hosts: [host] }) : exitCodes.ok;
  return print(context, host, () => renderHostStatus(host, status, context.terminal, context.now()), code);
}

export function renderHostStatus(
  host: HostStatus,
  status: Pick<Status, 'suspended'>,
  terminal: Terminal,
  now: number,
): readonly string[] {
  const { paint, signs } = terminal;
  const labels = Object.entries(host.labels).map(([key, value]) => `${key}=${value}`);
  const facts: (readonly [string, string | undefined])[] = [
    [
      'now',
      whatHappens({ ...host, hold: undefined, pin: undefined, override: undefined }, now).join(
        ` ${signs.dot} `,
      ),
    ],
    ...saidParts(host, now).map((said) => ['people', said] as const),
    ['wave', host.wave],
    ['groups', host.groups.join(', ') || undefined],
    ['labels', labels.join(', ') || undefined],
    ['address', host.address],
    ['runs', host.current],
    ['wanted', host.desired === host.current ? 'the same' : host.desired],
    ['confirmed', confirmedText(host, now)],
    [
      'profile',
      host.profileGeneration === undefined ? undefined : `generation ${host.profileGeneration} of NixOS`,
    ],
    [
      'reboot',
      host.rebootNeeded?.length ? paint('yellow', `needed for ${host.rebootNeeded.join(', ')}`) : undefined,
    ],
    ['units', host.failedUnits?.length ? paint('red', `failed: ${host.failedUnits.join(', ')}`) : undefined],
    ['free', host.freeBytes === undefined ? undefined : bytes(host.freeBytes)],
    ['contact', contactText(host, now)],
  ];
  return [
    `${signOf(host, terminal)} ${paint('bold', host.host)} ${paintedSync(host.sync, terminal)} ${paintedHealth(host.health, terminal)}`,
    ...(status.suspended === undefined ? [] : [suspensionLine(status.suspended, terminal, now)]),
    ...facts.flatMap(([name, value]) =>
      value === undefined ? [] : [`  ${paint('dim', name.padEnd(11))}${value}`],
    ),
    ...(host.failure === undefined ? [] : ['', ...failureLines('it failed', host.failure, terminal)]),
    '',
    `${paint('cyan', signs.arrow)} varve why ${host.host}`,
  ];
}

function confirmedText(host: HostStatus, now: number): string | undefined {
  if (host.confirmedAt === undefined) return undefined;
  const revision = host.revision === undefined ? '' : `, ${shortRevision(host.revision)}`;
  return `generation ${host.observation ?? 0}${revision}, ${ago(host.confirmedAt, now)}`;
}

function contactText(host: HostStatus, now: number): string | undefined {
  if (host.unreachableSince !== undefined) return `unreachable since ${ago(host.unreachableSince, now)}`;
  return host.lastContactAt === undefined ? 'never' : ago(host.lastContactAt, now);
}

function unknown(name: string, { hosts, notJudged }: Status): never {
  if (notJudged !== undefined) throw new FleetError(notJudged);
  const meant = nearest(
    name,
    hosts.map(({ host }) => host),
  );
  throw new FleetError({
    code: 'NOT_FOUND',
    disposition: 'stalled',
    message: `no host is called ${name}`,
    hint: meant === undefined ? '`varve status` lists the hosts' : `did you mean ${meant}?`,
  });
}
