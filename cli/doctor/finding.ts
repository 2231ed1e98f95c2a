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

/** Nix of that version has what Varve asks of it: `nix-store (Nix) 2.18.1`, `nix (Nix) 2.8.0pre`. */
export function nixIsTooOld(said: string): boolean {
  const match = /(\d+)\.(\d+)/.exec(said);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major < oldestNix[0] || (major === oldestNix[0] && minor < oldestNix[1]);
}

export const oldestNixText = oldestNix.join('.');
