import { lastLines } from '../../../shared/platform/plain-lines.ts';
import { WireError, type WireReader } from './wire.ts';

/** The daemon's own words for why it does not do what it was asked. */
export class DaemonError extends Error {}

const said = {
  last: 0x616c7473,
  next: 0x6f6c6d67,
  error: 0x63787470,
  startActivity: 0x53545254,
  stopActivity: 0x53544f50,
  result: 0x52534c54,
} as const;

/** Of an error that is kept: there may be one for each path of a push, and people are shown less. */
const longestError = 8_000;
/** Of one message; activities have up to four. */
const mostFields = 1_000;
/** Of one error: as deep as Nix evaluates at all. */
const mostTraces = 100_000;

/**
 * Reads what the daemon says meanwhile, up to where the answer begins. Nothing of it is kept: it may be much, where a host
 * fetches from a cache and says so for every few bytes. One that never comes to an answer is left to deadlines.
 * @throws DaemonError when there is none
 */
export async function untilAnswer(reader: WireReader): Promise<void> {
  for (;;) {
    const what = await reader.number();
    switch (what) {
      case said.last:
        return;
      case said.error:
        throw await readError(reader);
      case said.next:
        await reader.text();
        break;
      case said.startActivity:
        for (let i = 0; i < 3; i += 1) await reader.skipNumber();
        await reader.text();
        await skipFields(reader);
        await reader.skipNumber();
        break;
      case said.stopActivity:
        await reader.skipNumber();
        break;
      case said.result:
        await reader.skipNumber();
        await reader.skipNumber();
        await skipFields(reader);
        break;
      default:
        throw new WireError(`it says something unknown: ${what.toString(16)}`);
    }
  }
}

async function skipFields(reader: WireReader): Promise<void> {
  const count = await reader.number();
  if (count > mostFields) throw new WireError(`a message of ${count} fields has too many`);
  for (let i = 0; i < count; i += 1) {
    if ((await reader.number()) === 0) await reader.skipNumber();
    else await reader.text();
  }
}

async function readError(reader: WireReader): Promise<DaemonError> {
  await reader.text();
  await reader.number();
  await reader.text();
  const message = await reader.text();
  await reader.number();
  const traces = await reader.number();
  if (traces > mostTraces) throw new WireError(`an error with ${traces} traces has too many`);
  for (let i = 0; i < traces; i += 1) {
    await reader.number();
    await reader.text();
  }
  return new DaemonError(lastLines(message, longestError));
}
