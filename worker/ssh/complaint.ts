import { lastLines } from '../../shared/platform/plain-lines.ts';

const longest = 4_000;
/** Some of it is blank, or only for a terminal. */
const keptChars = 4 * longest;

/** What a command on a host says on its standard error, kept as far as people are to be shown it. */
export interface Complaint {
  add(chunk: Uint8Array): void;
  /** Its last lines, safe to show. A host may say anything. */
  text(): string;
}

export function createComplaint(): Complaint {
  // A character may come in two chunks.
  const decoder = new TextDecoder();
  let said = '';
  let isCut = false;
  return {
    add(chunk) {
      said += decoder.decode(chunk, { stream: true });
      if (said.length <= keptChars) return;
      said = said.slice(-keptChars);
      isCut = true;
    },
    text() {
      // Of a line that has lost its beginning it may be in the middle of what is for a terminal.
      const whole = isCut ? said.slice(said.indexOf('\n') + 1) : said;
      return lastLines(whole, longest);
    },
  };
}
