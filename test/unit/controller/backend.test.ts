import { describe, expect, it } from 'vitest';
import { createBackend } from '../../../controller/backend.ts';
import type { Reign } from '../../../controller/reconcile/leader.ts';
import { createMemory } from '../../../shared/domain/memory-keeper.ts';
import type { Failure } from '../../../shared/domain/errors.ts';
import { adopted, host, observed, toplevel } from '../../support/builders.ts';

function never(): never {
  throw new Error('nobody asks for this here');
}

function backendOf(reign: Reign | undefined, leads?: string) {
  return createBackend({
    controller: { run: never, reign: () => reign, look: never, probe: never, command: never },
    clock: { now: () => 5_000, sleep: never },
    lease: {
      hold: never,
      holder: async () => (leads === undefined ? undefined : { name: leads, id: 'other' }),
      release: never,
    },
    source: { look: never, manifest: never, pack: never },
    reverter: { revert: never },
    closures: { put: never, get: never },
    hints: { tell: never, listen: never },
    activity: () => undefined,
    version: '0',
    name: 'one',
    repository: 'r',
    ref: 'main',
  });
}

/** A leader that knows web1 from the ledger, and of which no pass has ended. */
function aBeginner(passFailure?: Failure): Reign {
  const keeper = createMemory();
  keeper.remember(adopted('web1', toplevel('A')));
  keeper.remember(observed(1, 'A'));
  const term = { epoch: 2, incarnation: 'i' };
  return { term, memory: keeper.memory, source: { kind: 'unseen' }, last: undefined, passFailure };
}

const trouble: Failure = {
  code: 'STORE_UNAVAILABLE',
  disposition: 'transient',
  message: 'Redis does not answer',
};

const begun = {
  code: 'NOT_LEADER',
  message: expect.stringMatching(/^nothing is known of hosts yet: .* first pass has not ended$/) as string,
};

describe('before the first pass of a leadership has ended', () => {
  it('why and plan say so, of a host that exists as well', async () => {
    const backend = backendOf(aBeginner());
    await expect(backend.why(host('web1'))).rejects.toMatchObject(begun);
    await expect(backend.why(host('web7'))).rejects.toMatchObject(begun);
    await expect(backend.plan()).rejects.toMatchObject(begun);
  });

  it('and what that pass fails for, where it does', async () => {
    const backend = backendOf(aBeginner(trouble));
    const failing = {
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/its first pass fails: Redis does not answer$/) as string,
    };
    await expect(backend.why(host('web1'))).rejects.toMatchObject(failing);
    await expect(backend.plan()).rejects.toMatchObject(failing);
    expect((await backend.status()).notJudged).toMatchObject(failing);
  });

  it('the status says so beside having no hosts', async () => {
    expect(await backendOf(aBeginner()).status()).toMatchObject({ hosts: [], notJudged: begun });
  });
});

describe('a standby', () => {
  it('says who leads, instead of a plan in which nothing has been observed', async () => {
    const backend = backendOf(undefined, 'two');
    const said = { code: 'NOT_LEADER', message: 'controller two leads' };
    expect((await backend.status()).notJudged).toMatchObject(said);
    await expect(backend.plan()).rejects.toMatchObject(said);
    await expect(backend.why(host('web1'))).rejects.toMatchObject(said);
  });
});
