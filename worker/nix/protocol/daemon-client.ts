import { stripVTControlCharacters } from 'node:util';

import { readPathInfo, type ValidPathInfo } from './path-info.ts';
import {
  createWireReader,
  encodeNumber,
  encodeText,
  encodeTexts,
  WireError,
  type WireReader,
} from './wire.ts';

/** What it takes to make paths valid. */
export interface Missing {
  readonly willBuild: readonly string[];
  readonly willSubstitute: readonly string[];
  /** Neither valid nor known how to make. */
  readonly unknown: readonly string[];
}

/**
 * A Nix daemon, asked in its own protocol. Answers come in the order of the questions, so one caller at a time.
 * @throws DaemonError for a question that the daemon refuses; it takes further ones
 * @throws WireError when it has ended, or says what cannot be: of no use any more
 */
export interface DaemonClient {
  /** The subset that is valid. Nothing is substituted. */
  validPaths(paths: readonly string[]): Promise<ReadonlySet<string>>;
  /** In the order of the paths; `undefined` for what is not valid. */
  pathInfos(paths: readonly string[]): Promise<readonly (ValidPathInfo | undefined)[]>;
  /** @param derivations whose outputs are wanted, all of them */
  missing(derivations: readonly string[]): Promise<Missing>;
}

/** The daemon's own words for why it does not do what it was asked. */
export class DaemonError extends Error {}

export interface DaemonStreams {
  readonly output: AsyncIterable<Uint8Array>;
  write(bytes: Uint8Array): void;
}

const clientHello = 0x6e697863;
const serverHello = 0x6478696f;
/**
 * Claimed by us. From 1.38 on features are negotiated, which takes a round trip more, and nothing that is asked here
 * needs any. Nix 2.4, the oldest with flakes, speaks 1.32.
 */
const ourMinor = 35;
const oldestMinor = 32;

const operation = { queryPathInfo: 26, queryValidPaths: 31, queryMissing: 40 } as const;

const said = {
  last: 0x616c7473,
  next: 0x6f6c6d67,
  error: 0x63787470,
  startActivity: 0x53545254,
  stopActivity: 0x53544f50,
  result: 0x52534c54,
} as const;

interface Question<Answer> {
  readonly asked: Buffer;
  /** Reads the answer, after what the daemon says meanwhile. */
  readonly read: () => Promise<Answer>;
}

/** Greets the daemon. @throws WireError */
export async function greetDaemon({ output, write }: DaemonStreams): Promise<DaemonClient> {
  const reader = createWireReader(output);
  // Twice zero: no processor is asked for, and no space reserved, as no version does any more.
  write(
    Buffer.concat([
      encodeNumber(clientHello),
      encodeNumber(0x100 | ourMinor),
      encodeNumber(0),
      encodeNumber(0),
    ]),
  );
  if ((await reader.number()) !== serverHello) throw new WireError('it is no Nix daemon');
  const version = await reader.number();
  const minor = Math.min(version & 0xff, ourMinor);
  if (version >> 8 !== 1 || minor < oldestMinor) {
    throw new WireError(
      `it speaks version ${version >> 8}.${version & 0xff} of the protocol, too old for us`,
    );
  }
  if (minor >= 33) await reader.text();
  // Whether we are trusted: nothing here needs it.
  if (minor >= 35) await reader.number();
  await untilAnswer(reader);

  /** Questions in one go, so that they cost one round trip. */
  async function ask<Answer>(questions: readonly Question<Answer>[]): Promise<readonly Answer[]> {
    write(Buffer.concat(questions.map(({ asked }) => asked)));
    const answers: Answer[] = [];
    let refused: DaemonError | undefined;
    // All answers are read, whatever they are: the next caller's begin after them.
    for (const { read } of questions) {
      try {
        await untilAnswer(reader);
        answers.push(await read());
      } catch (thrown) {
        if (!(thrown instanceof DaemonError)) throw thrown;
        refused ??= thrown;
      }
    }
    if (refused !== undefined) throw refused;
    return answers;
  }

  async function askOne<Answer>(asked: Buffer, read: () => Promise<Answer>): Promise<Answer> {
    const [answer] = await ask([{ asked, read }]);
    if (answer === undefined) throw new WireError('one question, and no answer');
    return answer;
  }

  return {
    async validPaths(paths) {
      const question = Buffer.concat([
        encodeNumber(operation.queryValidPaths),
        encodeTexts(paths),
        encodeNumber(0),
      ]);
      return new Set(await askOne(question, () => reader.texts()));
    },
    pathInfos: (paths) =>
      ask(
        paths.map((path) => ({
          asked: Buffer.concat([encodeNumber(operation.queryPathInfo), encodeText(path)]),
          read: async () => ((await reader.number()) === 0 ? undefined : readPathInfo(reader, path)),
        })),
      ),
    missing(derivations) {
      const wanted = derivations.map((derivation) => `${derivation}!*`);
      return askOne(Buffer.concat([encodeNumber(operation.queryMissing), encodeTexts(wanted)]), async () => {
        const [willBuild, willSubstitute, unknown] = [
          await reader.texts(),
          await reader.texts(),
          await reader.texts(),
        ];
        // Bytes to load, and what they unpack to.
        await reader.skipNumber();
        await reader.skipNumber();
        return { willBuild, willSubstitute, unknown };
      });
    },
  };
}

/** Reads what the daemon says meanwhile, up to where the answer begins. @throws DaemonError when there is none */
async function untilAnswer(reader: WireReader): Promise<void> {
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
  for (let i = 0; i < traces; i += 1) {
    await reader.number();
    await reader.text();
  }
  return new DaemonError(stripVTControlCharacters(message).trim());
}
