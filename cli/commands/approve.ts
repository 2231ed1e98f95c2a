import { CommandDone } from '../../shared/contracts/api-commands.ts';
import type { GateView } from '../../shared/contracts/api-common.ts';
import { Status } from '../../shared/contracts/api.ts';
import { nearest } from '../../shared/contracts/nearest.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { CommandContext } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { counted, shortRevision } from '../words.ts';
import { done } from './act.ts';

/**
 * `varve approve [wave-or-group]`: lets the newest release in. What is approved is what was shown: if something newer
 * is seen meanwhile, the controller refuses.
 */
export async function runApprove(context: CommandContext, name: string | undefined): Promise<ExitCode> {
  const status = await context.api.get('/status', Status);
  const gate = name === undefined ? onlyOneWaiting(status) : gateCalled(status, name);
  const { observation } = status;
  if (observation !== undefined && context.output === 'text') {
    context.terminal.aside(
      `${gate.kind} ${gate.name}: ${shortRevision(observation.revision)} ${observation.subject} (${observation.author}), ${waitingText(gate)}`,
    );
  }
  const body = { [gate.kind]: gate.name, observation: gate.observation };
  return done(context, await context.api.post('/approve', body, CommandDone));
}

function onlyOneWaiting({ gates }: Status): GateView {
  const waiting = gates.filter(isWaiting);
  const [only, second] = waiting;
  if (only !== undefined && second === undefined) return only;
  throw new FleetError({
    code: only === undefined ? 'NOT_FOUND' : 'INVALID_INPUT',
    disposition: 'stalled',
    message:
      only === undefined
        ? 'nothing waits for an approval'
        : `${waiting.length} wait for an approval: ${waiting.map(gateText).join(', ')}`,
    hint:
      only === undefined
        ? gates.length === 0
          ? 'no wave and no group needs one: `approval: true` in varve.yaml'
          : `they that need one can be approved beforehand, by name: ${gates.map(gateText).join(', ')}`
        : `say which: varve approve ${only.name}`,
  });
}

/** Where a wave and a group are called the same, the one that waits is meant. */
function gateCalled({ gates }: Status, name: string): GateView {
  const called = gates.filter((gate) => gate.name === name);
  const found = called.find(isWaiting) ?? called.find(({ approved }) => approved === undefined) ?? called[0];
  if (found !== undefined) return found;
  const meant = nearest(
    name,
    gates.map((gate) => gate.name),
  );
  throw new FleetError({
    code: 'NOT_FOUND',
    disposition: 'stalled',
    message: `no wave or group that needs an approval is called ${name.slice(0, 80)}`,
    hint:
      meant !== undefined
        ? `did you mean ${meant}?`
        : gates.length === 0
          ? 'none needs one: `approval: true` in varve.yaml'
          : `there are: ${gates.map(gateText).join(', ')}`,
  });
}

function isWaiting({ waiting }: GateView): boolean {
  return waiting > 0;
}

function gateText(gate: GateView): string {
  return `${gate.kind} ${gate.name} (${waitingText(gate)})`;
}

function waitingText({ waiting, approved }: GateView): string {
  if (approved !== undefined) return `approved by ${approved.by}`;
  return waiting === 0 ? 'nothing waits yet' : counted(waiting, 'host waits', 'hosts wait');
}
