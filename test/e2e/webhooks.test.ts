import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../hosts/command.ts';
import { eventually } from '../support/eventually.ts';
import { expectDesiredSystem } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { traceProcesses } from '../support/process-trace.ts';
import { readFacts } from '../support/read-facts.ts';

const secret = 'a secret that only the forge has';
describe('webhooks are hints, and the poll is the truth', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ hosts: ['web1'], webhookSecret: secret });
    await fleet.varve.settle(fleet.first);
  });
  afterAll(() => fleet.close());

  async function say(text: string): Promise<string> {
    const before = await fleet.repo.read('hosts/web1.nix');
    return fleet.repo.commit(text, {
      'hosts/web1.nix': before.replace(/text = "[^"]*"/, `text = "${text}"`),
    });
  }

  /** What a forge sends after a push, signed with `key`. */
  async function deliver(
    kind: 'github' | 'generic',
    revision: string,
    {
      key = secret,
      delivery = revision,
      ref = 'refs/heads/main',
    }: { readonly key?: string; readonly delivery?: string; readonly ref?: string } = {},
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const body = JSON.stringify({
      ref,
      after: revision,
      repository: kind === 'github' ? { clone_url: fleet.repo.remote } : fleet.repo.remote,
    });
    const signature = `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
    const headers =
      kind === 'github'
        ? { 'x-hub-signature-256': signature, 'x-github-event': 'push', 'x-github-delivery': delivery }
        : { 'x-signature-256': signature, 'x-delivery': delivery };
    const response = await fetch(`${fleet.varve.webhookUrl}/${kind}/default`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(10_000),
    });
    return { status: response.status, body: await response.json() };
  }

  async function lastLook(): Promise<number> {
    return (await fleet.varve.status()).source.lastLookAt ?? 0;
  }

  it.each(['github', 'generic'] as const)('a signed push deploys at once (%s)', async (kind) => {
    const revision = await say(`told by ${kind}`);
    await fleet.repo.push();
    expect(await deliver(kind, revision)).toMatchObject({ status: 202, body: { result: 'accepted' } });
    // The next poll is an hour away.
    await fleet.varve.settle(revision);
    await expectDesiredSystem(fleet, 'web1');
  });

  /** How often the controller asked the remote for anything while `act` ran, and the look that ends it. */
  async function askedDuring(act: () => Promise<unknown>): Promise<number> {
    const trace = await traceProcesses([fleet.varve.controller.pid()]);
    await act();
    // Whatever look was begun before has come to its end when this one has.
    round += 1;
    const revision = await say(`the look that ends round ${round}`);
    await fleet.repo.push();
    await fleet.varve.sync();
    await fleet.varve.settle(revision);
    const paths = await trace.end();
    return paths.filter((path) => path.endsWith('/git-upload-pack')).length;
  }
  let round = 0;
  let askedByOneLook: number;

  it('a wrong signature is refused with 401 and causes no work, nor does news of another branch', async () => {
    askedByOneLook = await askedDuring(async () => {});
    expect(askedByOneLook).toBeGreaterThan(0);
    let unsaid = '';
    const asked = await askedDuring(async () => {
      unsaid = await say('nobody tells');
      await fleet.repo.push();
      expect((await deliver('github', unsaid, { key: 'another secret' })).status).toBe(401);
      expect((await deliver('generic', unsaid, { key: '' })).status).toBe(401);
      expect(await deliver('github', unsaid, { ref: 'refs/heads/other' })).toMatchObject({
        status: 202,
        body: { result: 'ignored' },
      });
    });
    expect(asked).toBe(askedByOneLook);
    const observed = (await readFacts(fleet.varve.dataDir)).all.flatMap((fact) =>
      fact.kind === 'observation' ? [fact.observation.revision] : [],
    );
    expect(observed).not.toContain(unsaid);
  });

  it('a delivery that is repeated costs no second look', async () => {
    const revision = await fleet.repo.head();
    const once = await askedDuring(async () => {
      const before = await lastLook();
      await deliver('github', revision, { delivery: 'once' });
      await eventually(async () => (await lastLook()) > before, { what: 'a look', deadlineMs: 30_000 });
    });
    expect(once).toBeGreaterThan(askedByOneLook);
    const again = await askedDuring(async () => {
      expect(await deliver('github', revision, { delivery: 'once' })).toMatchObject({
        status: 202,
        body: { result: 'duplicate' },
      });
    });
    expect(again).toBe(askedByOneLook);
  });

  it('of twenty commits in a moment the last is what the fleet ends on, and most are never evaluated', async () => {
    const before = (await readFacts(fleet.varve.dataDir)).intents('web1').length;
    const revisions: string[] = [];
    for (let i = 1; i <= 20; i += 1) revisions.push(await say(`commit ${i} of 20`));
    // The objects first, so that moving the branch twenty times is a matter of a moment.
    await fleet.repo.git('push', '--quiet', 'origin', 'HEAD:refs/heads/to-come');
    const told: Promise<unknown>[] = [];
    const move = 'for r; do git update-ref refs/heads/main "$r" && echo "$r"; done';
    await run(['sh', '-c', move, 'sh', ...revisions], {
      cwd: fleet.repo.remote,
      onLine: (revision) => void told.push(deliver('github', revision)),
    });
    expect(told).toHaveLength(20);
    await Promise.all(told);
    const last = revisions.at(-1) ?? '';
    await fleet.varve.settle(last);
    await expectDesiredSystem(fleet, 'web1');
    const page = await fetch(`http://${fleet.host('web1').address}:8080/`);
    expect(await page.text()).toContain('commit 20 of 20');
    const { all, intents } = await readFacts(fleet.varve.dataDir);
    // What was overtaken was not evaluated, or at the least not activated.
    const trees = all.flatMap((fact) =>
      fact.kind === 'observation' && revisions.includes(fact.observation.revision)
        ? [fact.observation.tree]
        : [],
    );
    const evaluated = all.filter((fact) => fact.kind === 'release' && trees.includes(fact.release.tree));
    expect(evaluated.length).toBeLessThan(revisions.length / 2);
    expect(intents('web1').length - before).toBeLessThanOrEqual(evaluated.length);
    expect(intents('web1').at(-1)?.aim.revision).toBe(last);
  });

  it('when every webhook is lost, the poll deploys', async () => {
    const { varve } = fleet;
    await varve.controller.stop();
    await varve.controller.start({ VARVE_POLL_INTERVAL_SECONDS: '3' });
    // Its first look finds nothing new.
    const before = await eventually(async () => (await varve.status()).source.lastLookAt, {
      what: 'the first look',
      deadlineMs: 30_000,
    });
    const revision = await say('found by looking');
    await fleet.repo.push();
    await varve.settle(revision);
    expect(await lastLook()).toBeGreaterThan(before);
    await expectDesiredSystem(fleet, 'web1');
  });
});
