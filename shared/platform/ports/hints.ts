/**
 * "Look at the repository now", from whichever controller heard it to the one that leads. A hint may be lost: the
 * poll is the truth.
 */
export interface Hints {
  /** Never throws; a hint that cannot be told is a hint that was lost. */
  tell(): Promise<void>;
  /** Calls back for every hint that anyone told, this process included. Returns the closer. */
  listen(callback: () => void): Promise<() => Promise<void>>;
}
