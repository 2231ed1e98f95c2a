import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { expectDesiredSystem } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
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

  it('a wrong signature is refused with 401 and causes no work, nor does news of another branch', async () => {
    const looked = await lastLook();
    const facts = (await readFacts(fleet.varve.dataDir)).all.length;
    const revision = await say('nobody tells');
    await fleet.repo.push();
    expect((await deliver('github', revision, { key: 'another secret' })).status).toBe(401);
    expect((await deliver('generic', revision, { key: '' })).status).toBe(401);
    expect(await deliver('github', revision, { ref: 'refs/heads/other' })).toMatchObject({
      status: 202,
      body: { result: 'ignored' },
    });
    expect(await lastLook()).toBe(looked);
    expect((await readFacts(fleet.varve.dataDir)).all).toHaveLength(facts);
  });

  it('a delivery that is repeated costs no second look', async () => {
    const revision = await fleet.repo.head();
    const before = await lastLook();
    await deliver('github', revision, { delivery: 'once' });
    await fleet.varve.settle(revision);
    const looked = await lastLook();
    expect(looked).toBeGreaterThan(before);
    expect(await deliver('github', revision, { delivery: 'once' })).toMatchObject({
      status: 202,
      body: { result: 'duplicate' },
    });
    expect(await lastLook()).toBe(looked);
  });

  it('of twenty commits in a moment the last is what the fleet ends on', async () => {
    const before = (await readFacts(fleet.varve.dataDir)).intents('web1').length;
    const revisions: string[] = [];
    for (let i = 1; i <= 20; i += 1) revisions.push(await say(`commit ${i} of 20`));
    // The objects first, so that moving the branch twenty times is a matter of a moment.
    await fleet.repo.git('push', '--quiet', 'origin', 'HEAD:refs/heads/to-come');
    const told: Promise<unknown>[] = [];
    for (const revision of revisions) {
      await fleet.repo.git('--git-dir', fleet.repo.remote, 'update-ref', 'refs/heads/main', revision);
      told.push(deliver('github', revision));
    }
    await Promise.all(told);
    const last = revisions.at(-1) ?? '';
    await fleet.varve.settle(last);
    await expectDesiredSystem(fleet, 'web1');
    const page = await fetch(`http://${fleet.host('web1').address}:8080/`);
    expect(await page.text()).toContain('commit 20 of 20');
    const { intents } = await readFacts(fleet.varve.dataDir);
    // What was overtaken before its activation was not activated.
    expect(intents('web1').length - before).toBeLessThan(10);
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
