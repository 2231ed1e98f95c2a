import { lastLines } from '../../shared/platform/plain-lines.ts';

const longest = 4_000;
/** More than `lastLines` looks at: what is kept may begin in the middle of a line. */
const keptChars = 8 * longest;

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
  return {
    add(chunk) {
      said = `${said}${decoder.decode(chunk, { stream: true })}`.slice(-keptChars);
    },
    text: () => lastLines(said, longest),
  };
}
