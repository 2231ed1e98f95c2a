import { describe, expect, it } from 'vitest';
import { runHistory } from '../../../cli/commands/history.ts';
import { runPlan } from '../../../cli/commands/plan.ts';
import { runShow } from '../../../cli/commands/show.ts';
import { aContext } from '../../support/cli-context.ts';
import { createFakeBackend } from '../../support/fake-backend.ts';
import { revisions } from '../../support/fake-fleet.ts';
import { parseDeploymentId, parseHostName, parseRevision } from '../../../shared/domain/names.ts';

const now = Date.UTC(2026, 10, 27, 12);
const hour = 3_600_000;
const since = now - 2 * hour;
const until = now + 3 * hour;
const suspended = { by: 'bob', reason: 'batteries', since };
const said = {
  hold: { scope: 'shop', by: 'ada', reason: 'the sale', since, until },
  pin: {
    cause: 'wave' as const,
    toplevel: '/nix/store/x',
    observation: 4,
    by: 'varve',
    reason: 'wave canary failed',
    since,
  },
  override: { scope: 'fleet', by: 'bob', reason: 'CVE', since, until },
};
const words = [
  'rolled back to generation 4 with its wave 2 h ago, until a commit or a retry: wave canary failed',
  'shop held by ada 2 h ago, ends in 3 h: the sale',
  'windows and freezes of fleet overridden by bob 2 h ago, ends in 3 h: CVE',
];
const backend = createFakeBackend();

describe('what people said of a host, in the same words everywhere', () => {
  it('is in the plan', async () => {
    const plan = await backend.plan();
    const { context, printed } = aContext(
      { ...plan, suspended, verdicts: plan.verdicts.map((each) => ({ ...each, ...said })) },
      now,
    );
    await runPlan(context);
    expectAll(printed());
  });

  it('is with a deployment', async () => {
    const shown = await backend.showDeployment(parseDeploymentId('d000001'));
    if (shown.kind !== 'deployment') throw new Error('it is no deployment');
    const { context, printed } = aContext(
      { ...shown, deployment: { ...shown.deployment, suspended, ...said } },
      now,
    );
    await runShow(context, 'd000001');
    expectAll(printed());
  });

  it('is with each host of a revision', async () => {
    const shown = await backend.showRevision(parseRevision(revisions.new));
    if (shown.kind !== 'revision') throw new Error('it is no revision');
    const generations = shown.revision.generations.map((each) => ({ ...each, ...said }));
    const { context, printed } = aContext(
      { ...shown, revision: { ...shown.revision, suspended, generations } },
      now,
    );
    await runShow(context, revisions.new);
    expectAll(printed());
  });

  it('is above the history of a host', async () => {
    const history = await backend.hostHistory(parseHostName('web1'), 10);
    const { context, printed } = aContext({ ...history, suspended, ...said }, now);
    await runHistory(context, 'web1', { limit: 10 });
    expectAll(printed());
  });
});

function expectAll(text: string): void {
  for (const each of words) expect(text).toContain(each);
  expect(text).toContain('suspended by bob 2 h ago, until `varve resume`: batteries');
}
