import { describe, expect, it } from 'vitest';

import type { GuardAnswer } from '../../../../worker/activate/guard-client.ts';
import { createRecordView } from '../../../../worker/activate/record-view.ts';

const setUp = () => {
  const heard: string[] = [];
  const record = createRecordView({
    now: () => 100_000,
    onSwitched: () => heard.push('switched'),
    onRollingBack: (failure) => heard.push(`rolling back: ${failure.code}`),
    onEnd: () => heard.push('end'),
    log: (line) => heard.push(`log ${line}`),
  });
  const stream = (...answers: readonly GuardAnswer[]): void => {
    const feed = record.open();
    for (const answer of answers) feed(answer);
  };
  return { heard, record, stream };
};
const journal = (line: string): GuardAnswer => ({ kind: 'journal', line });
const log = (line: string): GuardAnswer => ({ kind: 'log', line });

describe('a record as a worker sees it', () => {
  it('tells of every event once, however many streams bring it', () => {
    const { heard, record, stream } = setUp();
    stream(journal('100 started'), journal('200 switched code=0'));
    stream(
      journal('100 started'),
      journal('200 switched code=0'),
      journal('300 rolling-back code=CHECK_FAILED evidence=1 text=no'),
      journal('400 end kind=rolled-back code=CHECK_FAILED evidence=1 text=no'),
    );
    expect(heard).toEqual(['switched', 'rolling back: CHECK_FAILED', 'end']);
    expect(record.end(false)).toMatchObject({ kind: 'rolled-back', evidence: true });
  });

  it('goes on with the log where another stream left it, and keeps lines that repeat', () => {
    const { heard, stream } = setUp();
    stream(log('a'), log('a'));
    stream(log('a'), log('a'), log('b'));
    expect(heard).toEqual(['log a', 'log a', 'log b']);
  });

  it('knows when the switch was, also when it hears of it later', () => {
    const { record, stream } = setUp();
    // The host is up for 50 s now, and switched at 20 s: 30 s ago.
    stream({ kind: 'now', uptime: 5_000 }, journal('2000 switched code=0'));
    expect(record.switchedAt).toBe(70_000);
  });

  it('forgets a refusal once there is a record', () => {
    const refused: GuardAnswer = {
      kind: 'refused',
      failure: { code: 'CONFLICT', disposition: 'transient', message: 'no' },
    };
    const { record, stream } = setUp();
    stream(journal('100 started'), refused);
    expect(record.refused).toBeUndefined();
    const other = setUp();
    other.stream(refused);
    expect(other.record.refused?.code).toBe('CONFLICT');
  });

  it('takes only a store path for what ran before', () => {
    const { record, stream } = setUp();
    stream({ kind: 'previous', path: '/etc/passwd' });
    expect(record.previous).toBeUndefined();
    const path = `/nix/store/${'0'.repeat(32)}-system`;
    stream({ kind: 'previous', path });
    expect(record.previous).toBe(path);
  });

  it('does not listen to a host that never stops talking', () => {
    const { heard, record, stream } = setUp();
    for (let i = 0; i < 30_000; i += 1) stream(journal(`${i} started`), log('a line'));
    stream(...Array.from({ length: 30_000 }, () => log('a line')));
    stream(journal('40000 switched code=0'));
    expect(heard).toHaveLength(20_000);
    expect(record.switchedAt).toBeUndefined();
  });
});
