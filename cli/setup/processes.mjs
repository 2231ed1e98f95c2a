// Running programs. Children that a person waits for share the terminal; signals and exit codes pass through.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const outputTail = 8_000;

/** Runs quietly; resolves with the exit code and the end of what it said. */
export function quietly(argv, options = {}) {
  const [program, ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let said = '';
    const keep = (chunk) => {
      said = (said + chunk.toString()).slice(-outputTail);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => resolve({ code: 127, said: error.message }));
    child.once('close', (code, signal) => resolve({ code: exitCodeOf(code, signal), said }));
  });
}

/**
 * Runs with our own standard input, output and error (`onOutput` takes the place of standard output), passes on the
 * signals that we get, and resolves with the exit code as a shell would give it.
 */
export function inTheForeground(argv, { onOutput, env = process.env } = {}) {
  const [program, ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['inherit', onOutput === undefined ? 'inherit' : 'pipe', 'inherit'],
      env,
    });
    const passOn = (signal) => child.kill(signal);
    // A terminal has interrupted the child as well; twice would mean "at once" to it.
    const ignore = () => {};
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals)
      process.on(signal, signal === 'SIGINT' && process.stdin.isTTY ? ignore : passOn);
    const finish = (code) => {
      for (const signal of signals) process.off(signal, passOn).off(signal, ignore);
      resolve(code);
    };
    if (onOutput !== undefined) child.stdout.on('data', onOutput);
    child.once('error', (error) => {
      process.stderr.write(`${program}: ${error.message}\n`);
      finish(127);
    });
    child.once('close', (code, signal) => finish(exitCodeOf(code, signal)));
  });
}

export function exitCodeOf(code, signal) {
  if (code !== null && code !== undefined) return code;
  return 128 + (constants.signals[signal] ?? 0);
}
