import { FleetError } from '../../shared/domain/errors.ts';
import { notPut, reasonOf, type CacheTarget } from './cache-target.ts';

/** The headers with which a server lets a request pass. */
export type Authorize = (request: {
  readonly method: 'HEAD' | 'GET' | 'PUT';
  readonly url: string;
  /** Of what is sent. */
  readonly sha256: string;
}) => Promise<Readonly<Record<string, string>>>;

export const sha256OfNothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Of what is read: more than what any cache says of a path. */
const longestText = 1024 * 1024;

/** A cache on a server that takes files by HTTP's PUT. */
export function createHttpTarget(deps: {
  /** Without a slash at its end. */
  readonly url: string;
  readonly authorize: Authorize;
  /** Besides 404: servers that tell nobody what is not there. */
  readonly alsoMissing?: readonly number[];
  /** A server that does not answer a question for so long is given up; default 30 s. */
  readonly answerMs?: number;
}): CacheTarget {
  const { url: base, authorize, alsoMissing = [], answerMs = 30_000 } = deps;

  /** @param use what is wanted of an answer that is one */
  async function ask<Value>(
    name: string,
    signal: AbortSignal,
    send: () => Promise<Response>,
    use: (answer: Response) => Promise<Value>,
  ): Promise<{ readonly answer: Response; readonly value: Value | undefined }> {
    try {
      const answer = await send();
      const value = answer.ok ? await use(answer) : undefined;
      await answer.body?.cancel();
      return { answer, value };
    } catch (thrown) {
      throw signal.aborted || thrown instanceof FleetError
        ? thrown
        : notPut(base, name, reasonOf(thrown), thrown);
    }
  }

  /** @returns `undefined` when it is not there */
  async function askFor<Value>(
    method: 'HEAD' | 'GET',
    name: string,
    signal: AbortSignal,
    use: (answer: Response) => Promise<Value>,
  ): Promise<Value | undefined> {
    const url = `${base}/${name}`;
    const send = async (): Promise<Response> => {
      const headers = await authorize({ method, url, sha256: sha256OfNothing });
      const until = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
      return fetch(url, { method, headers, signal: until });
    };
    const { answer, value } = await ask(name, signal, send, use);
    if (answer.ok) return value;
    if ([404, ...alsoMissing].includes(answer.status)) return undefined;
    throw notPut(base, name, refusalOf(answer));
  }

  return {
    name: base,
    has: async (name, signal) => (await askFor('HEAD', name, signal, async () => true)) ?? false,
    read: (name, signal) => askFor('GET', name, signal, textOf),
    async put(name, file, signal) {
      const url = `${base}/${name}`;
      const send = async (): Promise<Response> => {
        const authorization = await authorize({ method: 'PUT', url, sha256: file.sha256 });
        // Servers such as S3 want to know how much comes before it comes.
        const headers = { ...authorization, 'content-type': file.type, 'content-length': String(file.size) };
        return fetch(url, { method: 'PUT', headers, body: file.read(), duplex: 'half', signal });
      };
      const { answer } = await ask(name, signal, send, async () => undefined);
      if (!answer.ok) throw notPut(base, name, refusalOf(answer));
    },
  };
}

function refusalOf({ status, statusText }: Response): string {
  return `it answers ${status} ${statusText}`;
}

async function textOf({ body }: Response): Promise<string> {
  if (body === null) return '';
  const chunks: AsyncIterable<Uint8Array> = body;
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of chunks) {
    size += part.byteLength;
    if (size > longestText) throw new Error(`it answers with more than ${longestText} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

export function basicAuthorization(
  credentials: { readonly username: string; readonly password: string } | undefined,
): Authorize {
  if (credentials === undefined) return async () => ({});
  const { username, password } = credentials;
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return async () => ({ authorization });
}
