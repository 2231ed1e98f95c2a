import { describe, expect, it } from 'vitest';
import { sshEnvironment } from '../../../../controller/source/ssh-environment.ts';
import { FleetError } from '../../../../shared/domain/errors.ts';

describe('the SSH command of Git', () => {
  it('never accepts a host key silently, and never asks', () => {
    const command = sshEnvironment({})['GIT_SSH_COMMAND'];
    expect(command).toContain('StrictHostKeyChecking=yes');
    expect(command).toContain('BatchMode=yes');
  });

  it('has no path in it: they travel in variables of their own', () => {
    const environment = sshEnvironment({ identityFile: '/keys/$(id)', knownHostsFile: '/keys/`id`;id' });
    expect(environment['GIT_SSH_COMMAND']).not.toContain('/keys');
    expect(environment).toMatchObject({
      VARVE_SSH_IDENTITY: '/keys/$(id)',
      VARVE_SSH_KNOWN_HOSTS: '/keys/`id`;id',
    });
  });

  it.each(['key', '/a b', '/a\nb', '/%h', '/~/x', '/a"b', "/a'b", '/a\\b', '-oProxyCommand=x'])(
    'refuses the path %j, which SSH would take apart',
    (path) => {
      expect(() => sshEnvironment({ identityFile: path })).toThrow(FleetError);
      expect(() => sshEnvironment({ knownHostsFile: path })).toThrow(FleetError);
    },
  );
});
