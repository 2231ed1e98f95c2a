import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createConnection } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import type { Check, Connection } from '../../shared/domain/fleet.ts';

export interface ProbeOptions {
  /** When the confirmation must be done, by `performance.now()`. */
  readonly until: number;
  readonly signal: AbortSignal;
}

/** Why a host is not healthy, for people; `undefined`: it is. Services may take a moment: tried until the check's time is up. */
export async function runWorkerChecks(
  checks: readonly Check[],
  connection: Connection,
  options: ProbeOptions,
): Promise<string | undefined> {
  const problems = await Promise.all(checks.map((check) => runCheck(check, connection, options)));
  return problems.find((problem) => problem !== undefined);
}

async function runCheck(
  check: Check,
  connection: Connection,
  options: ProbeOptions,
): Promise<string | undefined> {
  switch (check.kind) {
    case 'http':
      return patiently(check.timeoutMs, options, (signal) => tryHttp(check.url, check.status, signal));
    case 'tcp':
      return patiently(check.timeoutMs, options, (signal) => tryTcp(connection.address, check.port, signal));
    case 'unit':
    case 'command':
      return undefined;
  }
}

async function patiently(
  timeoutMs: number,
  options: ProbeOptions,
  attempt: (signal: AbortSignal) => Promise<string | undefined>,
): Promise<string | undefined> {
  const deadline = Math.min(performance.now() + timeoutMs, options.until);
  for (;;) {
    const left = Math.max(1, Math.ceil(deadline - performance.now()));
    const problem = await attempt(AbortSignal.any([options.signal, AbortSignal.timeout(left)]));
    if (problem === undefined || options.signal.aborted || performance.now() + 100 >= deadline)
      return problem;
    await pause(100);
  }
}

function tryTcp(host: string, port: number, signal: AbortSignal): Promise<string | undefined> {
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
  });
}

function tryHttp(url: string, status: number, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = url.startsWith('https:') ? httpsRequest : httpRequest;
    const asked = request(url, { signal, agent: false, headers: { 'user-agent': 'varve' } }, (response) => {
      response.destroy();
      resolve(
        response.statusCode === status
          ? undefined
          : `${url} answered ${response.statusCode ?? '?'}, not ${status}`,
      );
    });
    asked.once('error', (error) => {
      resolve(signal.aborted ? `${url} did not answer in time` : `${url}: ${error.message}`);
    });
    asked.end();
  });
}
