import { open, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { FleetError } from '../../shared/domain/errors.ts';
import { generateSigningKey, parseSigningKey, publicKeyOf } from '../../shared/platform/signing-key.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/**
 * `varve keygen <name>`: makes a key that workers sign closures with, in a file that only its owner may read. Prints the
 * public one, and where both of them belong. A file that is there is left as it is.
 */
export async function runKeygen(
  { terminal, output }: { readonly terminal: Terminal; readonly output: 'text' | 'json' },
  name: string,
  options: { readonly out: string },
): Promise<ExitCode> {
  const secret = generateSigningKey(name);
  const publicKey = publicKeyOf(parseSigningKey(secret));
  const file = resolve(options.out);
  await writeSecret(file, `${secret}\n`);
  if (output === 'json') {
    terminal.line(JSON.stringify({ name, file, publicKey }, undefined, 2));
    return exitCodes.ok;
  }
  const { arrow } = terminal.signs;
  terminal.line(publicKey);
  terminal.aside('');
  terminal.aside(`${terminal.paint('cyan', arrow)} in the configuration of every host:`);
  terminal.aside(`    nix.settings.trusted-public-keys = [ "${publicKey}" ];`);
  terminal.aside(`${terminal.paint('cyan', arrow)} in the configuration of the service, on every worker:`);
  terminal.aside(`    worker: { push: { signingKey: ${JSON.stringify(file)} } }`);
  terminal.aside(
    terminal.paint(
      'dim',
      `${file} is a secret: whoever has it can make what these hosts accept from anybody.`,
    ),
  );
  terminal.aside(terminal.paint('dim', "The worker's user must be able to read it, and nobody else."));
  return exitCodes.ok;
}

async function writeSecret(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600).catch((cause: unknown) => {
    throw notMade(file, cause);
  });
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (cause) {
    await rm(file, { force: true });
    throw notMade(file, cause);
  } finally {
    await handle.close();
  }
}

function notMade(file: string, cause: unknown): FleetError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'it cannot be written';
  if (code === 'EEXIST') {
    return new FleetError({
      code: 'CONFLICT',
      disposition: 'stalled',
      message: `${file} is there already, and is left as it is`,
      hint: 'say where else with --out; a key that hosts trust is not to be lost',
      cause,
    });
  }
  return new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: `${file} cannot be written: ${code === 'ENOENT' ? 'its folder is not there' : code}`,
    hint: 'make the folder, as a user who may write to it, or say with --out where else the key is to be kept',
    cause,
  });
}
