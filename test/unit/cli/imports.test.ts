import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

/** Every package and file that is loaded before a command runs: imports of types and `import()` are not. */
async function loadedBy(entry: URL, seen = new Set<string>()): Promise<ReadonlySet<string>> {
  if (seen.has(entry.href)) return seen;
  seen.add(entry.href);
  const text = await readFile(entry, 'utf8');
  for (const [, names, from] of text.matchAll(/^(?:import|export) ([^;]*?)from '([^']+)';/gm)) {
    if (names?.startsWith('type ') === true || from === undefined) continue;
    const onlyTypes =
      /^\{[^}]*\}\s*$/.test(names ?? '') &&
      names!.replaceAll(/[{}\s]/g, '') !== '' &&
      names!
        .replaceAll(/[{}]/g, '')
        .split(',')
        .filter((name) => name.trim() !== '')
        .every((name) => name.trim().startsWith('type '));
    if (onlyTypes) continue;
    if (from.startsWith('.')) await loadedBy(new URL(from, entry), seen);
    else seen.add(from);
  }
  return seen;
}

test('help is quick: nothing heavy is loaded before a command runs', async () => {
  const loaded = await loadedBy(new URL('../../../cli/main.ts', import.meta.url));
  const packages = [...loaded].filter((name) => !name.startsWith('file:') && !name.startsWith('node:'));
  expect(packages).toEqual(['commander']);
});
