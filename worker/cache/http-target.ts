import { FleetError } from '../../shared/domain/errors.ts';
import { notPut, reasonOf, type CacheTarget } from './cache-target.ts';

/** The headers with which a server lets a request pass. */
export type Authorize = (request: {
  readonly method: 'HEAD' | 'PUT';
  readonly url: string;
  /** Of what is sent. */
  readonly sha256: string;
}) => Promise<Readonly<Record<string, string>>>;

export const sha256OfNothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

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

  async function ask(name: string, signal: AbortSignal, send: () => Promise<Response>): Promise<Response> {
    try {
      const answer = await send();
      await answer.body?.cancel();
      return answer;
    } catch (thrown) {
      throw signal.aborted || thrown instanceof FleetError
        ? thrown
        : notPut(base, name, reasonOf(thrown), thrown);
    }
  }

  return {
    name: base,
    async has(name, signal) {
      const url = `${base}/${name}`;
      const answer = await ask(name, signal, async () => {
        const headers = await authorize({ method: 'HEAD', url, sha256: sha256OfNothing });
        const until = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
        return fetch(url, { method: 'HEAD', headers, signal: until });
      });
      if (answer.ok) return true;
      if ([404, ...alsoMissing].includes(answer.status)) return false;
      throw notPut(base, name, `it answers ${answer.status} ${answer.statusText}`);
    },
    async put(name, file, signal) {
      const url = `${base}/${name}`;
      const answer = await ask(name, signal, async () => {
        const authorization = await authorize({ method: 'PUT', url, sha256: file.sha256 });
        // Servers such as S3 want to know how much comes before it comes.
        const headers = { ...authorization, 'content-type': file.type, 'content-length': String(file.size) };
        return fetch(url, { method: 'PUT', headers, body: file.read(), duplex: 'half', signal });
      });
      if (!answer.ok) throw notPut(base, name, `it answers ${answer.status} ${answer.statusText}`);
    },
  };
}

export function basicAuthorization(
  credentials: { readonly username: string; readonly password: string } | undefined,
): Authorize {
  if (credentials === undefined) return async () => ({});
  const { username, password } = credentials;
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return async () => ({ authorization });
}
