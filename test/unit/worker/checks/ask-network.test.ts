import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it, onTestFinished } from 'vitest';

import { askHttp, askTcp } from '../../../../worker/checks/ask-network.ts';
import { aPage, aPort, aSecurePage } from './servers.ts';

const soon = (): AbortSignal => AbortSignal.timeout(5_000);

describe('a page', () => {
  it('passes with the status that is wanted, and with no other', async () => {
    const url = await aPage((_, response) => response.writeHead(204).end());
    expect(await askHttp(url, 204, soon())).toBeUndefined();
    expect(await askHttp(url, 200, soon())).toBe(`${url} answered 204, not 200`);
  });

  it('is not looked for where it redirects to', async () => {
    const asked: (string | undefined)[] = [];
    const url = await aPage((request, response) => {
      asked.push(request.url);
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    expect(await askHttp(`${url}/up`, 200, soon())).toBe(`${url}/up answered 302, not 200`);
    expect(asked).toEqual(['/up']);
  });

  it('that does not answer fails at the time-out', async () => {
    const url = await aPage(() => {});
    expect(await askHttp(url, 200, AbortSignal.timeout(50))).toBe(`${url} did not answer in time`);
  });

  it('is not believed when nobody vouches for its certificate', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'varve-certificate-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    execFileSync(
      'openssl',
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=127.0.0.1 -keyout key -out cert'.split(
        ' ',
      ),
      { cwd: folder, stdio: 'ignore' },
    );
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
    const url = await aSecurePage({ key: read('key'), cert: read('cert') }, (_, response) => response.end());
    expect(await askHttp(url, 200, soon())).toContain('self-signed certificate');
  });
});

describe('a port', () => {
  it('passes when somebody listens, and fails when nobody does', async () => {
    expect(await askTcp('127.0.0.1', await aPort(), soon())).toBeUndefined();
    expect(await askTcp('127.0.0.1', 4, soon())).toContain('port 4: connect ECONNREFUSED');
  });

  it('is not asked any more once it is too late', async () => {
    expect(await askTcp('127.0.0.1', await aPort(), AbortSignal.abort())).toContain('did not answer in time');
  });
});
