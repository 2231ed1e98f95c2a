import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top of the checkout. */
export const top = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The command of an installed node package. */
export function packageCommand(name) {
  return join(top, 'node_modules', '.bin', name);
}
