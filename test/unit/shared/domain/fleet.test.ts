import { describe, expect, it } from 'vitest';

import {
  connectionKey,
  connectionText,
  sameConnection,
  type Connection,
} from '../../../../shared/domain/fleet.ts';

const web1: Connection = { address: 'web1', port: 22, user: 'root', hostKeys: ['ssh-ed25519 AAAA'] };
const gate: Connection = { address: 'gate', port: 2222, user: 'hop', hostKeys: [] };
const bastion: Connection = { ...gate, address: 'bastion' };

const different: readonly (readonly [string, Connection])[] = [
  ['straight', web1],
  ['through a jump host', { ...web1, via: gate }],
  ['through another', { ...web1, via: bastion }],
  ['through one behind another', { ...web1, via: { ...gate, via: bastion } }],
  ['through one with other keys', { ...web1, via: { ...gate, hostKeys: ['ssh-ed25519 AAAA'] } }],
];

describe('a connection', () => {
  it.each(different)('%s is the same as its like and as no other', (name, connection) => {
    for (const [other, that] of different) {
      const copy: Connection = structuredClone(that);
      expect(sameConnection(connection, copy), other).toBe(name === other);
      expect(connectionKey(connection) === connectionKey(copy), other).toBe(name === other);
    }
  });

  it('is shown with all that it goes through', () => {
    expect(different.slice(0, 4).map(([, connection]) => connectionText(connection))).toEqual([
      'root@web1:22',
      'root@web1:22 through hop@gate:2222',
      'root@web1:22 through hop@bastion:2222',
      'root@web1:22 through hop@gate:2222 through hop@bastion:2222',
    ]);
  });
});
