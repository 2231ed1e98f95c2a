import { DaemonError, untilAnswer } from './answers.ts';
import { greeting, readGreeting } from './greeting.ts';
import { readPathInfo, type ValidPathInfo } from './path-info.ts';
import { createWireReader, encodeNumber, encodeText, encodeTexts, WireError } from './wire.ts';

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

export interface DaemonStreams {
  readonly output: AsyncIterable<Uint8Array>;
  write(bytes: Uint8Array): void;
}

const operation = { queryPathInfo: 26, queryValidPaths: 31, queryMissing: 40 } as const;

interface Question<Answer> {
  readonly asked: Buffer;
  /** Reads the answer, after what the daemon says meanwhile. */
  readonly read: () => Promise<Answer>;
}

/** Greets the daemon. @throws WireError */
export async function greetDaemon({ output, write }: DaemonStreams): Promise<DaemonClient> {
  const reader = createWireReader(output);
  write(greeting());
  await readGreeting(reader);

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
