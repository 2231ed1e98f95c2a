import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { exitCodeMeanings } from '../../../cli/exit-codes.ts';
import { routeRights } from '../../../controller/http/authorization.ts';
import { createProgram } from '../../../cli/program.ts';
import { createTerminal } from '../../../cli/terminal.ts';
import { environmentVariables } from '../../../shared/contracts/service-config-environment.ts';
import { phases } from '../../../shared/domain/deployment.ts';
import { errorCodes } from '../../../shared/domain/errors.ts';
import { verdictKinds } from '../../../shared/domain/verdict.ts';
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

test('every route of the API is documented with the right that it takes', () => {
  const rows = tableRows(readDocument('docs/api.md').text).map(([route, right]) => [
    route?.replaceAll('`', ''),
    right,
  ]);
  const documented = Object.entries(routeRights).filter(([, right]) => right !== 'internal');
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(documented));
});

test('every verdict and every phase is explained', () => {
  const states = readDocument('docs/states.md');
  const words = (heading: string): readonly string[] =>
    tableRows(section(states, heading)).flatMap(([word]) => word?.replaceAll('`', '').split(', ') ?? []);
  expect(words('## Verdicts: what the next pass does')).toEqual(verdictKinds);
  expect([...words('## Phases: how far is a deployment?')].sort()).toEqual([...phases].sort());
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
