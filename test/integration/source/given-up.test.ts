import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSource } from '../../../controller/source/create-source.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { createGitProgram } from '../../../shared/platform/git-program.ts';
import { silentLogger } from '../../../shared/platform/logger.ts';
import { createConfigRepository, type ConfigRepository } from '../../support/config-repository.ts';
import { eventually } from '../../support/eventually.ts';
import { createGitHttpServer, type GitHttpServer } from '../../support/git-http-server.ts';

/** A leadership that ends, or a program that stops, does not wait for a server that says nothing. */
describe.each(['isomorphic', 'git'] as const)('a look through the adapter %s', (adapter) => {
  let folder: string;
  let repository: ConfigRepository;
  let server: GitHttpServer;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-given-up-'));
    repository = await createConfigRepository(join(folder, 'fleet.git'));
    server = await createGitHttpServer(folder);
  });
  afterEach(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('ends as soon as it is given up, and the next one succeeds', async () => {
    const revision = await repository.commit({ files: { 'flake.nix': '{ }' } });
    const { source } = createSource(
      { url: server.url('fleet.git'), ref: 'main', adapter, dataFolder: join(folder, 'data') },
      {
        git: createGitProgram({ run: createRun() }),
        logger: silentLogger,
        credential: async () => undefined,
      },
    );
    try {
      server.faults = { hang: true };
      const stop = new AbortController();
      const look = source.look(undefined, stop.signal);
      await eventually(() => server.requests.length > 0, {
        what: 'the server was asked',
        deadlineMs: 20_000,
      });
      const given = performance.now();
      stop.abort();
      expect(await look).toMatchObject({ kind: 'failing' });
      // The server would have been waited for 30 seconds.
      expect(performance.now() - given).toBeLessThan(10_000);
      server.faults = {};
      expect(await source.look(undefined)).toMatchObject({ kind: 'seen', revision });
    } finally {
      await source.close();
    }
  });
});
