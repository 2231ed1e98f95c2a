import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from '../../../cli/program.ts';
import { createTerminal } from '../../../cli/terminal.ts';

test('the help of every command has an example of it', () => {
  let text = '';
  const stdout = { write: (more: string) => (text += more) };
  const check = (command: Command, path: string): void => {
    text = '';
    command.outputHelp();
    const inner = command.commands.filter((each) => each.name() !== 'help');
    if (inner.length > 0) inner.forEach((each) => check(each, `${path} ${each.name()}`));
    // What the completion scripts ask, no person does.
    else if (command.name() !== 'complete')
      expect(text, path).toMatch(new RegExp(`\\nExamples:\\n(.*\\n)*? .*${path}\\b`));
  };
  check(
    createProgram({
      terminal: createTerminal({ stdout, stderr: stdout, env: {} }),
      version: '0.0.0',
      json: false,
      env: {},
      signal: new AbortController().signal,
      context: () => Promise.reject(new Error('no command is run')),
      ended: () => {},
    }),
    'varve',
  );
});
