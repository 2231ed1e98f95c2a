import {
  type DeploymentView,
  DiffView,
  type GenerationView,
  type PackageChange,
  type RevisionView,
  Shown,
} from '../../shared/contracts/api-history.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { parseDeploymentId, parseHostName } from '../../shared/domain/names.ts';
import { type CommandContext, print } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { progressText, saidParts } from '../host-line.ts';
import { resolveRevision } from '../resolve-revision.ts';
import { renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { bytes, clockTime, duration, shortRevision } from '../words.ts';
import { suspensionLine } from './banner.ts';
import { deliveryText } from './delivery-text.ts';
import { paintedResult } from './history.ts';
import { failureLines } from './status.ts';

/** `varve show <deployment|revision>` */
export async function runShow(context: CommandContext, name: string): Promise<ExitCode> {
  const shown = await find(context, name);
  const { terminal } = context;
  return print(context, shown, () =>
    shown.kind === 'deployment'
      ? renderDeployment(shown.deployment, terminal, context.now())
      : renderRevision(shown.revision, terminal, context.now()),
  );
}

/** An id of a deployment begins with `d`, and may by chance look like the beginning of a revision. */
async function find({ api }: CommandContext, name: string): Promise<Shown> {
  const maybeRevision = /^[0-9a-f]{7,40}$/.test(name);
  if (!maybeRevision && !name.startsWith('d')) {
    throw new FleetError({
      code: 'INVALID_INPUT',
      disposition: 'stalled',
      message: `${JSON.stringify(name.slice(0, 80))} is neither a deployment nor a revision`,
      hint: 'give the id of a deployment (d…), or at least 7 digits of a revision; `varve history` lists both',
    });
  }
  if (!maybeRevision || name.startsWith('d')) {
    const id = parseDeploymentId(name);
    try {
      return await api.get(`/deployments/${id}`, Shown);
    } catch (thrown) {
      const absent = thrown instanceof FleetError && thrown.code === 'NOT_FOUND';
      if (!maybeRevision || !absent) throw thrown;
    }
  }
  return api.get(`/revisions/${await resolveRevision(api, name)}`, Shown);
}

function renderDeployment(deployment: DeploymentView, terminal: Terminal, now: number): readonly string[] {
  const { paint } = terminal;
  const facts: (readonly [string, string | undefined])[] = [
    ['host', deployment.host],
    ...saidParts(deployment, now).map((said) => ['people', said] as const),
    ['phase', paintedResult(deployment.phase, terminal)],
    ['revision', `${deployment.revision} (observation ${deployment.observation})`],
    ['why', deployment.reason],
    ['mode', modeText(deployment)],
    ['toplevel', deployment.toplevel],
    ['before', deployment.previous],
    ['derivation', deployment.drvPath],
    ['delivery', deployment.delivery === undefined ? undefined : deliveryText(deployment.delivery)],
    ['progress', progressText(deployment.progress)],
  ];
  const [first] = deployment.timeline;
  return [
    paint('bold', `deployment ${deployment.id}`),
    ...(deployment.suspended === undefined ? [] : [suspensionLine(deployment.suspended, terminal, now)]),
    ...facts.flatMap(([name, value]) =>
      value === undefined ? [] : [`  ${paint('dim', name.padEnd(11))}${value}`],
    ),
    '',
    ...deployment.timeline.map(
      ({ phase, at }) =>
        `  ${paint('dim', clockTime(at))}  ${phase.padEnd(16)}${first === undefined || at === first.at ? '' : `+${duration(at - first.at)}`}`,
    ),
    ...(deployment.failure === undefined
      ? []
      : [
          '',
          ...failureLines(
            deployment.phase === 'succeeded' ? 'it went well, but for this' : 'it failed',
            deployment.failure,
            terminal,
          ),
        ]),
    ...(deployment.evidence
      ? ['  this toplevel is not tried on this host again, unless you `varve retry`']
      : []),
    '',
    `${paint('cyan', terminal.signs.arrow)} varve logs ${deployment.id}`,
  ];
}

function modeText({ action, mode }: DeploymentView): string {
  switch (action) {
    case 'activate':
      return mode;
    case 'finalise':
      return `${mode}, profile and boot default only`;
    case 'reboot':
      return `${mode}, a reboot`;
  }
}

function renderRevision(view: RevisionView, terminal: Terminal, now: number): readonly string[] {
  const { paint } = terminal;
  const [newest] = view.observations;
  if (newest === undefined) return ['this revision was never observed'];
  const rows = view.generations.map((generation) => [
    paint('bold', generation.host),
    paintedResult(generation.result, terminal),
    generation.durationMs === undefined ? '' : duration(generation.durationMs),
    generation.deployment ?? '',
    [whatBecame(generation, terminal), ...saidParts(generation, now)].join(` ${terminal.signs.dot} `),
  ]);
  return [
    paint('bold', `revision ${newest.revision}`),
    `  ${newest.subject} ${paint('dim', `(${newest.author})`)}`,
    ...view.observations.map(
      ({ n, at, forced }) =>
        `  ${paint('dim', `seen ${clockTime(at)}, observation ${n}${forced ? ', by force push' : ''}`)}`,
    ),
    ...(view.suspended === undefined ? [] : [suspensionLine(view.suspended, terminal, now)]),
    ...(view.release.failure === undefined
      ? []
      : ['', ...failureLines('it cannot be evaluated', view.release.failure, terminal)]),
    '',
    ...renderTable(
      [
        { title: 'HOST' },
        { title: 'RESULT' },
        { title: 'TOOK', align: 'right' },
        { title: 'DEPLOYMENT' },
        { title: 'WHAT' },
      ],
      rows,
      terminal,
    ),
  ];
}

function whatBecame({ failure, delivery, reason }: GenerationView, { paint }: Terminal): string {
  if (failure !== undefined) return paint('red', `${failure.code} ${failure.message.split('\n')[0]}`);
  return delivery === undefined ? reason : deliveryText(delivery);
}

/** `varve diff <host> <rev> <rev>`: packages and sizes. */
export async function runDiff(
  context: CommandContext,
  hostText: string,
  fromText: string,
  toText: string,
): Promise<ExitCode> {
  const host = parseHostName(hostText);
  const from = await resolveRevision(context.api, fromText);
  const to = await resolveRevision(context.api, toText);
  const diff = await context.api.get(`/hosts/${host}/diff?from=${from}&to=${to}`, DiffView);
  return print(context, diff, () => renderDiff(diff, context.terminal));
}

function renderDiff(diff: DiffView, terminal: Terminal): readonly string[] {
  const { paint, signs } = terminal;
  if (diff.identical) return [`${diff.host} is the same in both: ${diff.to.toplevel}`];
  const line = (sign: string, change: PackageChange, versions: string): string[] => [
    sign,
    paint('bold', change.name),
    signed(change.bytes),
    versions,
  ];
  const named = (versions: readonly string[]): string => versions.join(', ') || 'no version';
  const rows = [
    ...diff.changed.map((each) =>
      line(paint('yellow', '~'), each, `${named(each.from)} ${signs.arrow} ${named(each.to)}`),
    ),
    ...diff.added.map((each) => line(paint('green', '+'), each, named(each.to))),
    ...diff.removed.map((each) => line(paint('red', '-'), each, named(each.from))),
  ];
  return [
    `${paint('bold', diff.host)} ${shortRevision(diff.from.revision)} ${signs.arrow} ${shortRevision(diff.to.revision)}`,
    `closure ${bytes(diff.from.bytes)} ${signs.arrow} ${bytes(diff.to.bytes)} (${signed(diff.to.bytes - diff.from.bytes)})`,
    '',
    ...(rows.length === 0
      ? ['the same packages and versions; only configuration differs']
      : renderTable(
          [{ title: ' ' }, { title: 'PACKAGE' }, { title: 'SIZE', align: 'right' }, { title: 'VERSION' }],
          rows,
          terminal,
        )),
  ];
}

function signed(count: number): string {
  return count > 0 ? `+${bytes(count)}` : bytes(count);
}
