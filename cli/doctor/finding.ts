/** One thing that was looked at. */
export interface Finding {
  readonly area: 'machine' | 'controller' | 'source' | 'host';
  readonly what: string;
  /** `bad`: something does not work until it is put right. `note`: to be looked at. */
  readonly grade: 'good' | 'note' | 'bad';
  readonly found: string;
  /** What to do about it. */
  readonly advice?: string;
}

export function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

const oldestNix = [2, 4] as const;

/** Older than what Varve asks of it: `2.18.1`, `nix (Nix) 2.8.0pre`. What is no version is not judged. */
export function nixIsTooOld(said: string): boolean {
  const match = /(\d+)\.(\d+)/.exec(said);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major < oldestNix[0] || (major === oldestNix[0] && minor < oldestNix[1]);
}

export const oldestNixText = oldestNix.join('.');
