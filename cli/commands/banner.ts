import type { GateView, SuspensionView, WaveView } from '../../shared/contracts/api-common.ts';
import type { Status } from '../../shared/contracts/api.ts';
import { holdText, overrideText, suspensionText } from '../said-line.ts';
import type { Terminal } from '../terminal.ts';
import { counted, until } from '../words.ts';

type View = Pick<Terminal, 'paint' | 'signs'>;

/** Lines above the hosts that are about more than one of them: what people said, and how far the rollout is. */
export function bannerLines(status: Status, terminal: View, now: number): readonly string[] {
  const { paint, signs } = terminal;
  const { suspended, holds, overrides, gates } = status;
  const sign = paint('yellow', signs.waiting);
  return [
    ...(suspended === undefined ? [] : [suspensionLine(suspended, terminal, now)]),
    ...holds.map((hold) => `${sign} ${holdText(hold, undefined, now)}`),
    ...overrides.map((override) => `${sign} ${overrideText(override, now)}`),
    ...rolloutLines(status, terminal, now),
    ...gates.flatMap((gate) => (gate.waiting === 0 ? [] : [gateLine(gate, terminal)])),
  ];
}

/** `suspended by ada 2 h ago …`: nothing that is shown below moves meanwhile. */
export function suspensionLine(suspended: SuspensionView, { paint, signs }: View, now: number): string {
  return paint('yellow', `${signs.waiting} ${suspensionText(suspended, now)}`);
}

function gateLine({ kind, name, waiting }: GateView, { paint, signs }: View): string {
  return `${paint('cyan', signs.arrow)} ${counted(waiting, 'host waits', 'hosts wait')} for an approval of ${kind} ${name}: varve approve ${name}`;
}

/** Nothing is said of the one wave of a fleet without waves, unless it failed. */
function rolloutLines({ rollout }: Status, terminal: View, now: number): readonly string[] {
  if (rollout === undefined) return [];
  const { waves } = rollout;
  if (waves.length < 2 && waves.every(({ state }) => state !== 'failed')) return [];
  if (waves.every(({ state }) => state === 'passed')) return [];
  const parts = waves.map((wave) => waveText(wave, terminal, now));
  return [`rollout of observation ${rollout.observation}: ${parts.join(` ${terminal.signs.dot} `)}`];
}

function waveText(wave: WaveView, { paint }: View, now: number): string {
  const { name, state, done, total, failed } = wave;
  const colours = {
    waiting: 'dim',
    approval: 'yellow',
    moving: 'cyan',
    soaking: 'cyan',
    passed: 'green',
    failed: 'red',
  } as const;
  const failures = failed === 0 ? '' : `, ${failed} failed`;
  const end = wave.until === undefined ? '' : `, ${until(wave.until, now)}`;
  return `${name} ${paint(colours[state], state)} (${done} of ${total}${failures}${end})`;
}
