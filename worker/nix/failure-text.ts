import type { NixResult } from './nix.ts';

const longestText = 4_000;

/** What Nix said went wrong, for people: its errors, or the end of what it printed. */
export function failureText(result: NixResult): string {
  const errors = result.errors.map((error) => error.text.trim()).join('\n');
  if (errors !== '') return errors.slice(0, longestText);
  return result.stderrTail
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('@nix '))
    .join('\n')
    .slice(-longestText);
}
