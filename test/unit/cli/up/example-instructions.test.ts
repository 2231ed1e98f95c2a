import { describe, expect, it } from 'vitest';

import { exampleInstructions } from '../../../../cli/up/example-instructions.ts';

const ready = {
  kind: 'ready' as const,
  repository: '/srv/ada’s fleet/fleet.git',
  ref: 'main',
  env: {},
  workingCopy: '/srv/ada’s fleet/fleet',
  sshConfig: "/srv/it's/ssh_config",
  hosts: [{ name: 'web1', address: '10.213.7.2' }],
};
const terminal = { paint: (_colour: string, text: string) => text };
const usual = {
  url: 'http://127.0.0.1:7420',
  command: ['node', '/opt/varve/main.js'],
  hasCurl: true,
  terminal,
};

describe('the instructions of the example', () => {
  it('can be copied into a shell, whatever the folders are called', () => {
    const text = exampleInstructions(ready, usual).join('\n');
    expect(text).toContain("cd '/srv/ada’s fleet/fleet'\n");
    expect(text).toContain("ssh -F '/srv/it'\\''s/ssh_config' web1");
    expect(text).toContain("alias varve='node /opt/varve/main.js'");
  });

  it('say where the API is only when it is not at its usual place', () => {
    expect(exampleInstructions(ready, usual).join('\n')).not.toContain('VARVE_URL');
    const elsewhere = exampleInstructions(ready, { ...usual, url: 'http://127.0.0.1:7455' }).join('\n');
    expect(elsewhere).toContain('export VARVE_URL=http://127.0.0.1:7455');
  });

  it('need no curl', () => {
    const text = exampleInstructions(ready, { ...usual, hasCurl: false }).join('\n');
    expect(text).not.toContain('curl');
    expect(text).toContain("fetch('http://10.213.7.2:8080/')");
  });
});
