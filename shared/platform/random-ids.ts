import { randomBytes, randomInt } from 'node:crypto';

import { parseDeploymentId } from '../domain/names.ts';
import type { Ids } from './ports/ids.ts';

const randomDigits = 8;

/** Random names. Deployment ids begin with the time, so that they sort by age wherever they are listed. */
export function createRandomIds(): Ids {
  return {
    deployment: () => parseDeploymentId(`d${Date.now().toString(36)}${digits(randomDigits)}`),
    unique: () => randomBytes(16).toString('hex'),
  };
}

function digits(count: number): string {
  return Array.from({ length: count }, () => randomInt(36).toString(36)).join('');
}
