import { describe, expect, it } from 'vitest';

import { createTerminal } from '../../../../cli/terminal.ts';
import { createStory } from '../../../../cli/up/story.ts';
import { FleetHappening } from '../../../../shared/contracts/api-events.ts';

function storyOn(isTTY: boolean): (happening: object, at?: number) => string | undefined {
  const stream = { write: () => true, isTTY, columns: 200, rows: 40 };
  const story = createStory(createTerminal({ stdout: stream, stderr: stream, env: { NO_COLOR: '1' } }));
  return (happening, at = 0) => story.tell(FleetHappening.parse(happening), at);
}

const deployment = (phase: string): object => ({
  kind: 'deployment',
  deployment: 'd1',
  host: 'web1',
  phase,
  revision: 'a'.repeat(40),
  reason: 'it changed',
});
const host = (sync: string, health: string, verdict = 'in-sync'): object => ({
  kind: 'host',
  host: 'web1',
  sync,
  health,
  verdict,
  reason: 'because',
});

describe('the story of a fleet', () => {
  it('tells every phase where nobody watches, and how long the whole took', () => {
    const tell = storyOn(false);
    expect(tell(deployment('pending'), 1_000)).toBe('web1 pending it changed d1');
    expect(tell(deployment('delivering'), 1_500)).toBe('web1 delivering d1');
    expect(tell(deployment('succeeded'), 4_500)).toBe('web1 succeeded d1 after 3.5 s');
  });

  it('leaves to the live block what only moves on a terminal', () => {
    const tell = storyOn(true);
    expect(tell(deployment('pending'), 1_000)).toBeUndefined();
    expect(tell(deployment('confirming'), 2_000)).toBeUndefined();
    expect(tell(deployment('rolling-back'), 3_000)).toContain('rolling-back');
    expect(tell(deployment('rolled-back'), 4_000)).toContain('rolled-back');
  });

  it('does not repeat of a host what its deployment tells', () => {
    const tell = storyOn(false);
    expect(tell(host('OutOfSync', 'Progressing', 'wait'))).toBeUndefined();
    expect(tell(host('Synced', 'Healthy'))).toBeUndefined();
  });

  it('tells when something is the matter with a host, and when it no longer is', () => {
    const tell = storyOn(false);
    expect(tell(host('Unknown', 'Unreachable', 'unreachable'))).toBe('web1 Unknown, Unreachable: because');
    expect(tell(host('Unknown', 'Unknown', 'probe'))).toBeUndefined();
    expect(tell(host('Synced', 'Healthy'))).toBe('web1 Synced, Healthy: because');
    expect(tell(host('Synced', 'Healthy'))).toBeUndefined();
  });

  it('tells of the source when it fails and when it is back, not that it works at first', () => {
    const tell = storyOn(false);
    const ok = { kind: 'source', state: 'ok' };
    const failure = { code: 'SOURCE_UNREACHABLE', disposition: 'transient', message: 'no answer' };
    const failing = { kind: 'source', state: 'failing', failure };
    expect(tell(ok)).toBeUndefined();
    expect(tell(failing)).toContain('SOURCE_UNREACHABLE no answer');
    expect(tell(failing)).toBeUndefined();
    expect(tell(ok)).toBe('the repository is ok');
  });
});
