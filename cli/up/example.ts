import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { FleetError } from '../../shared/domain/errors.ts';
import type { Terminal } from '../terminal.ts';
import { exampleInstructions } from './example-instructions.ts';
import { ExampleMessage, type ExampleReady } from './example-protocol.ts';
import { withParentDeath } from './parent-death.ts';

/** A fleet to look at, for who has none yet: hosts on this machine and a repository that describes them. */
export interface RunningExample {
  /** The config repository. */
  readonly repository: string;
  readonly ref: string;
  /** What controller and worker need to reach its hosts. */
  readonly env: Readonly<Record<string, string>>;
  /** Where a person commits. */
  readonly workingCopy: string;
  /** How to commit, revert and look: printed once the fleet is in sync, a line each. */
  readonly instructions: readonly string[];
  /** Ends the hosts. The repository stays, until the next start. */
  close(): Promise<void>;
}

export interface ExampleDeps {
  /** Everything of the example is in here; nothing else may be. */
  readonly folder: string;
  /** Where the API will listen: a push tells it to look. */
  readonly url: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Told what is being done, and what goes wrong later on. */
  say(text: string, grade: 'plain' | 'error'): void;
}

/** Hosts end in a second or two; what hangs is killed after this, and swept up. */
const closeDeadlineMs = 30_000;

/**
 * Starts the hosts of the example fleet, as a program of its own that ends with us, however we end.
 * @throws FleetError what that program could not do; CANCELLED when the signal aborts
 */
export async function startExample(deps: ExampleDeps): Promise<RunningExample> {
  const child = start(deps, [hostsProgram('example'), deps.folder, deps.url], 'pipe');
  const gone = new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  let closing = false;

  async function close(): Promise<void> {
    closing = true;
    // The end of its input is what it waits for.
    child.stdin?.end();
    const force = setTimeout(() => child.kill('SIGKILL'), closeDeadlineMs);
    const code = await gone;
    clearTimeout(force);
    // It did not end as it should: what it left is found by what it wrote down.
    if (code !== 0) await sweep(deps);
  }
  const cancel = (): void => void child.stdin?.end();
  deps.signal.addEventListener('abort', cancel, { once: true });
  try {
    const ready = await readiness(child, gone, deps);
    void gone.then((how) => {
      if (!closing) deps.say(`the program that runs the example's hosts has ended (${how})`, 'error');
    });
    return {
      repository: ready.repository,
      ref: ready.ref,
      env: ready.env,
      workingCopy: ready.workingCopy,
      instructions: exampleInstructions(ready, {
        url: deps.url,
        command: ['node', fileURLToPath(new URL(`../main.${extension}`, import.meta.url))],
        hasCurl: (deps.env['PATH'] ?? '').split(delimiter).some((place) => existsSync(join(place, 'curl'))),
        terminal: deps.terminal,
      }),
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  } finally {
    deps.signal.removeEventListener('abort', cancel);
  }
}

/** Passes on what it says until it is ready. */
function readiness(
  child: ChildProcess,
  gone: Promise<number | string>,
  deps: ExampleDeps,
): Promise<ExampleReady> {
  return new Promise((resolve, reject) => {
    const { stdout } = child;
    if (stdout !== null) {
      createInterface({ input: stdout }).on('line', (line) => {
        const message = parseMessage(line);
        if (message === undefined) return;
        if (message.kind === 'progress') deps.say(message.text, 'plain');
        else if (message.kind === 'ready') resolve(message);
        else reject(new FleetError(message.failure));
      });
    }
    void gone.then((how) =>
      reject(
        new FleetError(
          deps.signal.aborted
            ? { code: 'CANCELLED', disposition: 'stalled', message: 'the example was not wanted any more' }
            : {
                code: 'INTERNAL',
                disposition: 'stalled',
                message: `the example fleet cannot be started in ${deps.folder}: its program ended (${how})`,
                hint: 'run it on a repository of your own: varve up --repo URL',
              },
        ),
      ),
    );
  });
}

function parseMessage(line: string): ExampleMessage | undefined {
  try {
    return ExampleMessage.parse(JSON.parse(line));
  } catch {
    // Not ours.
    return undefined;
  }
}

async function sweep(deps: ExampleDeps): Promise<void> {
  const child = start(deps, [hostsProgram('sweep')], 'ignore');
  await new Promise((resolve) => {
    child.once('error', resolve);
    child.once('close', resolve);
  });
}

function start(deps: ExampleDeps, args: readonly string[], stdin: 'pipe' | 'ignore'): ChildProcess {
  const node = fromSource ? ['--import', 'tsx'] : [];
  const [program, ...rest] = withParentDeath([process.execPath, ...node, ...args]);
  return spawn(program, rest, {
    env: { ...deps.env },
    stdio: [stdin, 'pipe', 'inherit'],
    // Ctrl-C reaches only us: hosts end after those who use them.
    detached: true,
  });
}

const fromSource = import.meta.url.endsWith('.ts');
const extension = fromSource ? 'ts' : 'js';

/** @throws FleetError PROGRAM_MISSING where Varve was installed without its example */
function hostsProgram(name: 'example' | 'sweep'): string {
  const path = fileURLToPath(new URL(`../../test/hosts/${name}.${extension}`, import.meta.url));
  if (existsSync(path)) return path;
  throw new FleetError({
    code: 'PROGRAM_MISSING',
    disposition: 'stalled',
    message: `the example fleet is not here: there is no ${path}`,
    hint: 'say which repository is to be watched (varve up --repo URL), or run npm start in a checkout of Varve',
  });
}
