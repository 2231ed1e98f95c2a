import { describe, expect, it } from 'vitest';

import { hostKeyPolicy, hostKeyText } from '../../../../worker/ssh/host-key.ts';

const wire = (type: string): Buffer => {
  const name = Buffer.from(type, 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(name.length);
  return Buffer.concat([length, name, Buffer.alloc(36, 1)]);
};
const connection = { address: 'web1', port: 22, user: 'root', hostKeys: [] };

describe('a host key that a server shows', () => {
  it('is told by its type and its bytes', () => {
    const key = wire('ssh-ed25519');
    expect(hostKeyText(key)).toBe(`ssh-ed25519 ${key.toString('base64')}`);
  });

  it.each(['"]\n  web2: { user: root, hostKeys: ["', '\u001b[2J', 'x'.repeat(65), ''])(
    'puts nothing of its own making into the line that people are to paste: %j',
    (type) => {
      const refusal = hostKeyPolicy(connection, '').judge(wire(type));
      expect(refusal?.code).toBe('HOST_KEY_UNKNOWN');
      expect(refusal?.hint).toMatch(/hostKeys: \["unknown [A-Za-z0-9+/=]+"\]$/);
    },
  );
});
