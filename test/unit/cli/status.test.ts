import { describe, expect, it } from 'vitest';
import { runStatus } from '../../../cli/commands/status.ts';
import { runHostStatus } from '../../../cli/commands/status-host.ts';
import { exitCodes } from '../../../cli/exit-codes.ts';
import type { Status } from '../../../shared/contracts/api.ts';
import { aContext } from '../../support/cli-context.ts';
import { aStatus } from '../../support/fake-fleet.ts';

const notJudged = {
  code: 'NOT_LEADER',
  disposition: 'transient',
  message: 'nothing is known of hosts yet: the first pass has not ended',
} as const;
const begun: Status = { ...aStatus(), hosts: [], notJudged };

describe('a status in which no host was judged yet', () => {
  it('says so, and not that there are no hosts', async () => {
    const { context, printed } = aContext(begun);
    await runStatus(context, { wide: false, exitCode: false });
    expect(printed()).toContain(notJudged.message);
    expect(printed()).not.toContain('no hosts');
  });

  it('is not that of a fleet in sync', async () => {
    const code = await runStatus(aContext(begun).context, { wide: false, exitCode: true });
    expect(code).toBe(exitCodes.notConverged);
  });

  it('says so of one host as well, and not that there is none of that name', async () => {
    const asked = runHostStatus(aContext(begun).context, 'web1', { exitCode: false });
    await expect(asked).rejects.toMatchObject({ code: 'NOT_LEADER', message: notJudged.message });
  });
});
