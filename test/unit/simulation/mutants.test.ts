import { expect, test } from 'vitest';
import { readSources } from '../../simulation/compile.ts';
import { mutants } from '../../simulation/mutants.ts';
import { mutated } from '../../simulation/run-mutants.ts';

test('every mutant still finds the rule that it breaks, exactly once', async () => {
  const sources = await readSources();
  const stale = mutants.flatMap((mutant) => {
    try {
      mutated(sources, mutant);
      return [];
    } catch (thrown) {
      return [String(thrown)];
    }
  });
  expect(stale).toEqual([]);
});

test('a mutant whose rule is gone, or is there twice, is refused', () => {
  const sources = new Map([['a.ts', 'one two two']]);
  const mutant = (from: string) => ({ name: 'm', file: 'a.ts', from, to: '' });
  expect(() => mutated(sources, mutant('three'))).toThrow('0 times');
  expect(() => mutated(sources, mutant('two'))).toThrow('2 times');
  expect(mutated(sources, mutant('one ')).get('a.ts')).toBe('two two');
});

test('mutants have names of their own', () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
});
