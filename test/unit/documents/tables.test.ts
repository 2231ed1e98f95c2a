import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { exitCodeMeanings } from '../../../cli/exit-codes.ts';
import { createProgram } from '../../../cli/program.ts';
import { createTerminal } from '../../../cli/terminal.ts';
import { environmentVariables } from '../../../shared/contracts/service-config-environment.ts';
import { errorCodes } from '../../../shared/domain/errors.ts';
import { readDocument, section, tableRows } from './read-documents.ts';

const readme = readDocument('README.md');

test('every error code has its row in the README: what it means, and what to do', () => {
  const rows = tableRows(section(readme, '## Error codes'));
  expect(rows.map(([code]) => code)).toEqual(errorCodes.map((code) => `\`${code}\``));
  for (const row of rows) {
    expect(row, row[0]).toHaveLength(3);
    expect(row[1], row[0]).not.toBe('');
    expect(row[2], row[0]).not.toBe('');
  }
});

test('every exit code is in the README, in the words of the command', () => {
  const rows = tableRows(section(readme, '## The command line')).filter(([code]) => /^\d+$/.test(code ?? ''));
  expect(Object.fromEntries(rows)).toEqual(exitCodeMeanings);
});

test('the README lists the commands that there are, with their arguments', () => {
  const nowhere = { write: () => true };
  const program = createProgram({
    terminal: createTerminal({ stdout: nowhere, stderr: nowhere, env: {} }),
    version: '0.0.0',
    json: false,
    env: {},
    signal: new AbortController().signal,
    context: () => Promise.reject(new Error('no command is run')),
    ended: () => {},
  });
  const listed = tableRows(section(readme, '## The command line')).flatMap(([command]) => {
    const name = /^`varve (.+)`$/.exec(command ?? '')?.[1];
    return name === undefined ? [] : [name];
  });
  expect([...listed].sort()).toEqual(leaves(program).sort());
});

function leaves(program: Command): string[] {
  const visible = program.createHelp().visibleCommands(program);
  return visible
    .filter((command) => command.name() !== 'help')
    .flatMap((command) => {
      const inner = leaves(command).map((rest) => `${command.name()} ${rest}`);
      return inner.length > 0 ? inner : [usage(command)];
    });
}

function usage(command: Command): string {
  const args = command.registeredArguments.map((each) =>
    each.required ? `<${each.name()}>` : `[${each.name()}]`,
  );
  return [command.name(), ...args].join(' ');
}

test('every variable of the environment is documented with the key that it stands for', () => {
  const rows = tableRows(section(readDocument('docs/configuration.md'), '## Variables'));
  const documented = new Map(rows.map(([name, key]) => [name, key]));
  for (const [name, { path }] of Object.entries(environmentVariables)) {
    expect(documented.get(`\`${name}\``), name).toMatch(`\`${path.join('.')}\``);
  }
});
