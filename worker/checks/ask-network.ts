import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createConnection } from 'node:net';

/** One try of a check that this worker asks over the network: why it does not pass, for people; `undefined`: it does. */

export function askTcp(host: string, port: number, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    const settle = (problem: string | undefined): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(problem);
    };
    const onAbort = (): void => settle(`port ${port} did not answer in time`);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => settle(undefined));
    socket.once('error', (error) => settle(`port ${port}: ${error.message}`));
    if (signal.aborted) onAbort();
  });
}

export async function askHttp(url: string, status: number, signal: AbortSignal): Promise<string | undefined> {
  const answer = await get(url, signal, 0);
  if (typeof answer === 'string') return `${url}${answer}`;
  return answer.status === status ? undefined : `${url} answered ${answer.status}, not ${status}`;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Redirects are not followed, certificates are verified. A string says what went wrong, to come after the address. */
export function get(url: string, signal: AbortSignal, maxBytes: number): Promise<Answer | string> {
  return new Promise((resolve) => {
    const request = url.startsWith('https:') ? httpsRequest : httpRequest;
    const fail = (error: Error): void => {
      resolve(signal.aborted ? ' did not answer in time' : `: ${error.message}`);
    };
    const headers = { 'user-agent': 'varve', accept: '*/*' };
    const asked = request(url, { signal, agent: false, headers }, (response) => {
      const status = response.statusCode ?? 0;
      if (maxBytes === 0) {
        response.destroy();
        resolve({ status, body: '' });
        return;
      }
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        size += part.length;
        if (size > maxBytes) {
          resolve(` answered with more than ${maxBytes} bytes`);
          response.destroy();
        } else parts.push(part);
      });
      response.once('error', fail);
      response.once('end', () => resolve({ status, body: Buffer.concat(parts).toString('utf8') }));
    });
    asked.once('error', fail);
    asked.end();
  });
}
