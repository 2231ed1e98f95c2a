import type { CommandContext } from '../../cli/context.ts';
import { createTerminal } from '../../cli/terminal.ts';

/** A command's surroundings where every question is answered in one way; what it prints is kept. */
export function aContext(
  answer: unknown,
  now = 0,
): { readonly context: CommandContext; readonly printed: () => string } {
  let text = '';
  const stdout = { write: (more: string) => (text += more) };
  const never = (): never => {
    throw new Error('nobody asks for this here');
  };
  return {
    printed: () => text,
    context: {
      api: { url: '', get: async (_, schema) => schema.parse(answer), post: never, stream: never },
      terminal: createTerminal({ stdout, stderr: { write: () => true }, env: {} }),
      output: 'text',
      env: {},
      now: () => now,
      signal: new AbortController().signal,
    },
  };
}
