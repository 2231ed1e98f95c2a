import { keepAndQuery } from '../nix/protocol/adding.ts';
import { greeting } from '../nix/protocol/greeting.ts';
import type { Channel } from '../ssh/channel.ts';
import { explained } from './explain.ts';
import { type HostAnswer, readHostAnswer } from './host-answer.ts';
import { type Run, wanted } from './run.ts';

/** Of the question, at a time: on a slow line a large one is not the silence that it would be as one piece. */
const pieceBytes = 256 * 1024;

/**
 * Asks a host what it lacks. What it has stays there as long as the channel is open.
 * @throws FleetError HOST_UNREACHABLE, PUSH_FAILED, DISK_FULL
 */
export async function ask(
  { request, closure, watch }: Pick<Run, 'request' | 'closure' | 'watch'>,
  control: Channel,
): Promise<HostAnswer> {
  const paths = closure.map(({ path }) => path);
  const substitute = request.substitute === true;
  const question = Buffer.concat([wanted(request), greeting(), keepAndQuery(paths, { substitute })]);
  const say = async (): Promise<void> => {
    for (let at = 0; at < question.length; at += pieceBytes) {
      await control.write(question.subarray(at, at + pieceBytes));
      watch.moved();
    }
  };
  // It answers before it has heard all of a long one, and would not hear the rest if nobody read that. Where it has all
  // it does not even want to, and where it has gone its answer says so.
  say().catch(() => {});
  try {
    return await readHostAnswer(watch.watched(control.output), paths.length);
  } catch (thrown) {
    throw await explained(thrown, control, request);
  }
}
