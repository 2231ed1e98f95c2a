import type { ApproveRequest } from '../../shared/contracts/api-commands.ts';
import type { GateView } from '../../shared/contracts/api-common.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { judgedObservation, type ViewContext } from '../views/context.ts';
import { gatesOf } from '../views/gates.ts';
import { judgedFleet, noSuch } from '../views/names.ts';

/**
 * The gate that an approval opens. An approval is of what was seen: it is refused once something newer is there.
 * @throws FleetError NOT_FOUND, CONFLICT
 */
export function gateToOpen(context: ViewContext, request: ApproveRequest): GateView {
  const newest = context.memory.observations.at(-1);
  const judged = judgedObservation(context);
  const seen = request.observation ?? newest?.n;
  if (newest === undefined || seen !== newest.n) {
    throw new FleetError({
      code: 'CONFLICT',
      disposition: 'stalled',
      message:
        newest === undefined
          ? 'nothing has been observed yet'
          : `observation ${seen} is not the newest: that is ${newest.n}, ${newest.subject}`,
      hint: 'look at what is newest (`varve status`), then approve that',
    });
  }
  if (judged?.n !== newest.n) {
    throw new FleetError({
      code: 'CONFLICT',
      disposition: 'transient',
      message: `observation ${newest.n} has only just been seen`,
      hint: 'look at it (`varve status`), then approve it',
    });
  }
  return gateOf(context, request);
}

function gateOf(context: ViewContext, { wave, group }: ApproveRequest): GateView {
  const kind = wave === undefined ? 'group' : 'wave';
  const name = wave ?? group ?? '';
  const gate = gatesOf(context).find((each) => each.kind === kind && each.name === name);
  if (gate !== undefined) return gate;
  const fleet = judgedFleet(context);
  const names = (kind === 'wave' ? fleet?.rollout.waves : fleet?.groups)?.map((each) => each.name) ?? [];
  if (!names.includes(name)) {
    throw noSuch(kind, name, names, names.length === 0 ? undefined : `there are: ${names.join(', ')}`);
  }
  throw new FleetError({
    code: 'CONFLICT',
    disposition: 'stalled',
    message: `${kind} ${name} needs no approval`,
    hint: '`approval: true` in varve.yaml would make it need one',
  });
}
