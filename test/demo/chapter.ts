import type { Stage } from './stage.ts';

/** One step of the story. */
export interface Chapter {
  readonly title: string;
  /** What happens and why it matters, in a line. */
  readonly tells: string;
  /** Makes and pushes the commit; gives its revision. */
  act(stage: Stage): Promise<string>;
  /** Waits until the fleet has come to rest. */
  rest(stage: Stage, revision: string): Promise<void>;
  /** What must be so then, each in the words that people read. */
  readonly checks: readonly Check[];
}

export interface Check {
  readonly says: string;
  /** Throws when it is not so. */
  holds(stage: Stage, revision: string): Promise<void>;
}
