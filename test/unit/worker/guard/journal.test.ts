import { describe, expect, it } from 'vitest';

import { endOf, failureOfFields, parseJournalLine } from '../../../../worker/guard/journal.ts';

const endFrom = (line: string, witnessed = false): unknown => {
  const parsed = parseJournalLine(line);
  return parsed === undefined ? undefined : endOf(parsed.fields, witnessed);
};

describe('parseJournalLine', () => {
  it('reads uptime, event and fields', () => {
    expect(
      parseJournalLine('12345 end kind=rolled-back code=UNITS_FAILED units=a.service,b\\x2dc.mount'),
    ).toEqual({
      uptime: 12345,
      event: 'end',
      fields: { kind: 'rolled-back', code: 'UNITS_FAILED', units: 'a.service,b\\x2dc.mount' },
    });
  });

  it('takes all that follows `text=` as one field, whatever is in it', () => {
    expect(
      parseJournalLine('1 rolling-back code=CHECK_FAILED evidence=1 text=a=b code=POWER_LOST')?.fields,
    ).toEqual({
      code: 'CHECK_FAILED',
      evidence: '1',
      text: 'a=b code=POWER_LOST',
    });
  });

  it('reads a line without fields', () => {
    expect(parseJournalLine('7 started')).toEqual({ uptime: 7, event: 'started', fields: {} });
  });

  it.for(['', 'started', 'x started', '1', '1 STARTED', '-1 started'])('refuses %j', (line) => {
    expect(parseJournalLine(line)).toBeUndefined();
  });
});

describe('endOf', () => {
  it('knows the plain ends', () => {
    expect(endFrom('1 end kind=succeeded')).toEqual({ kind: 'succeeded' });
    expect(endFrom('1 end kind=awaiting-reboot')).toEqual({ kind: 'awaiting-reboot' });
  });

  it('calls an unconfirmed host evidence only when somebody witnessed the window', () => {
    const line = '1 end kind=rolled-back code=CONFIRM_TIMEOUT evidence=0';
    expect(endFrom(line, true)).toMatchObject({
      kind: 'rolled-back',
      evidence: true,
      failure: { code: 'CONFIRM_TIMEOUT', disposition: 'stalled' },
    });
    expect(endFrom(line, false)).toMatchObject({
      kind: 'rolled-back',
      evidence: false,
      failure: { code: 'UNCONFIRMED', disposition: 'transient' },
    });
  });

  it('keeps what the guard itself saw as evidence, witnessed or not', () => {
    expect(endFrom('1 end kind=rolled-back code=ACTIVATION_FAILED evidence=1 exit=2')).toMatchObject({
      evidence: true,
      failure: { code: 'ACTIVATION_FAILED', details: { exit: '2' } },
    });
  });

  it('never calls lost power evidence', () => {
    expect(endFrom('1 end kind=rolled-back code=POWER_LOST evidence=0', true)).toMatchObject({
      evidence: false,
      failure: { code: 'POWER_LOST', disposition: 'transient' },
    });
  });

  it('says what is missing on a stuck host, and why it was rolled back', () => {
    expect(
      endFrom('1 end kind=stuck status=0 missing=a.service code=UNITS_FAILED evidence=1 units=b.service'),
    ).toMatchObject({
      kind: 'stuck',
      failure: { code: 'ROLL_BACK_FAILED', disposition: 'stalled', details: { because: 'UNITS_FAILED' } },
    });
  });

  it('takes an end that it does not know for the worst', () => {
    expect(endFrom('1 end kind=elated')).toMatchObject({ kind: 'stuck' });
  });
});

describe('failureOfFields', () => {
  it.for([
    ['LOCK_HELD', 'transient'],
    ['ACTIVATION_REFUSED', 'stalled'],
    ['ACTIVATION_FAILED', 'stalled'],
    ['UNITS_FAILED', 'stalled'],
    ['CHECK_FAILED', 'stalled'],
    ['UNCONFIRMED', 'transient'],
    ['POWER_LOST', 'transient'],
    ['BOOTLOADER_FAILED', 'stalled'],
    ['DRIFTED', 'transient'],
  ] as const)('%s is %s', ([code, disposition]) => {
    expect(failureOfFields({ code }, false)).toMatchObject({ code, disposition });
  });

  it('takes a code that it does not know for trouble of its own', () => {
    expect(failureOfFields({ code: 'EATEN_BY_A_DOG' }, false)).toMatchObject({
      code: 'INTERNAL',
      disposition: 'transient',
    });
  });
});
