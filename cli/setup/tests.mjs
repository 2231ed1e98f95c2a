// Runs the tests in groups, the quick ones first, and ends with one plain line for all of them.

import { packageCommand } from './places.mjs';
import { inTheForeground } from './processes.mjs';

const closingLine = /^(\d+) passed, (\d+) failed$/;

/**
 * Takes the closing lines out of a stream of output and adds them up; all else goes on to `write`, whole lines at a
 * time.
 */
export function closingLines(write) {
  const sum = { passed: 0, failed: 0, seen: 0 };
  let rest = '';
  const line = (text, end) => {
    const found = closingLine.exec(text);
    if (found === null) {
      write(`${text}${end}`);
      return;
    }
    sum.passed += Number(found[1]);
    sum.failed += Number(found[2]);
    sum.seen += 1;
  };
  return {
    sum,
    add(chunk) {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) line(text, '\n');
    },
    end() {
      if (rest !== '') line(rest, '');
      rest = '';
    },
  };
}

/** Each group in a run of its own. Resolves with the exit code for all of them. */
export async function runTests(groups, args) {
  const total = { passed: 0, failed: 0 };
  let code = 0;
  for (const group of groups) {
    const output = closingLines((text) => process.stdout.write(text));
    const projects = group.flatMap((project) => ['--project', project]);
    // Two files at a time: more would make timings on a small machine meaningless.
    const options = ['--maxWorkers=2', ...(args.length > 0 ? ['--passWithNoTests'] : [])];
    const ended = await inTheForeground([packageCommand('vitest'), 'run', ...options, ...projects, ...args], {
      onOutput: output.add,
      env: process.stdout.isTTY ? { ...process.env, FORCE_COLOR: '1' } : process.env,
    });
    output.end();
    total.passed += output.sum.passed;
    // A run that ended badly without having counted anything has failed as a whole.
    total.failed += output.sum.failed > 0 || ended === 0 ? output.sum.failed : 1;
    if (code === 0) code = ended;
    // Interrupted: the rest is not wanted either.
    if (ended > 128) break;
  }
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
  // Nothing that was run has shown nothing.
  const good = total.passed > 0 && total.failed === 0;
  return code === 0 && !good ? 1 : code;
}
