import { describe, expect, it } from 'vitest';

// @ts-expect-error -- plain JavaScript, since it runs before anything is compiled
import * as untyped from '../../../../cli/setup/tests.mjs';

interface ClosingLines {
  readonly sum: { readonly passed: number; readonly failed: number; readonly seen: number };
  add(chunk: Buffer): void;
  end(): void;
}

const { closingLines }: { closingLines(write: (text: string) => void): ClosingLines } = untyped;

describe('the closing lines of several runs', () => {
  it('are added up and taken out, and all else goes on as it was', () => {
    let shown = '';
    const output = closingLines((text) => (shown += text));
    for (const chunk of ['one\n12 pas', 'sed, 1 failed\ntwo\n3 passed, 0 failed', '\nthree']) {
      output.add(Buffer.from(chunk));
    }
    output.end();
    expect(output.sum).toEqual({ passed: 15, failed: 1, seen: 2 });
    expect(shown).toBe('one\ntwo\nthree');
  });

  it('are not mistaken for text that only looks like one', () => {
    let shown = '';
    const output = closingLines((text) => (shown += text));
    output.add(Buffer.from('Tests 12 passed, 1 failed\n'));
    expect(output.sum.seen).toBe(0);
    expect(shown).toBe('Tests 12 passed, 1 failed\n');
  });
});
