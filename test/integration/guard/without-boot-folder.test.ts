import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it, onTestFinished } from 'vitest';

import { guardFunctions } from '../../support/guard-functions.ts';
import { busyboxPath } from '../../hosts/fleet-files.ts';

it('what a reboot makes lasting is lasting, also on a machine whose boot loader is not under /boot', () => {
  const root = mkdtempSync(join(tmpdir(), 'varve-root-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  copyFileSync(busyboxPath, join(root, 'busybox'));
  const script = 'profiles=/nowhere; make_durable && echo lasting';
  const said = execFileSync('chroot', [root, '/busybox', 'sh', '-uc', `${guardFunctions}\n${script}`], {
    encoding: 'utf8',
  });
  expect(said).toBe('lasting\n');
});
