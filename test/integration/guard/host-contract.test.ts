import { setTimeout as pause } from 'node:timers/promises';

import { parseHostName, parseStorePath, type StorePath } from '../../../shared/domain/names.ts';
import { hostContract } from '../../contract/host.contract.ts';
import type { Behaviour } from '../../contract/host-rig.ts';
import { createLab } from '../../hosts/lab.ts';
import { eventually } from '../../support/eventually.ts';
import { shell, systemsOn } from '../hosts/support.ts';
import { workbench } from './support.ts';

const web = (text: string): string => `{ roles, ... }: {
  imports = [ (roles.web { greeter = "1.0"; }) (roles.motd "next") ]; ${text} }`;

const files: Record<Behaviour, string> = {
  // Its second service does not start once `sticks` was there.
  one: `{ roles, ... }: { imports = [ (roles.motd "one") ];
    units."fragile.service" = { wantedBy = [ "multi-user.target" ]; text = ''
      [Service]
      ExecStartPre=/bin/sh -c "! test -e /run/poisoned"
      ExecStart=/bin/sleep infinity
    ''; }; }`,
  two: web(''),
  'other-kernel': web('system.kernel = "6.6.2";'),
  refused: web('faults.switch = 1;'),
  breaks: web('faults.switch = 2;'),
  'fails-unit': web('faults.switch = 4;'),
  hangs: web('faults.switch = "hangs";'),
  'needs-reboot': web('faults.switch = 100;'),
  'cuts-network': web('faults.sshd = "stopped";'),
  unhealthy: web('faults.unit = "fails-later";'),
  'boot-loader-fails': '{ system.bootLoaderFails = true; }',
  sticks: `{ roles, ... }: { imports = [ (roles.motd "sticks") ];
    activation.poison = "touch /run/poisoned"; faults.unit = "fails"; }`,
};

function parsed(systems: Record<Behaviour, string>): Record<Behaviour, StorePath> {
  return {
    one: parseStorePath(systems.one),
    two: parseStorePath(systems.two),
    'other-kernel': parseStorePath(systems['other-kernel']),
    refused: parseStorePath(systems.refused),
    breaks: parseStorePath(systems.breaks),
    'fails-unit': parseStorePath(systems['fails-unit']),
    hangs: parseStorePath(systems.hangs),
    'needs-reboot': parseStorePath(systems['needs-reboot']),
    'cuts-network': parseStorePath(systems['cuts-network']),
    unhealthy: parseStorePath(systems.unhealthy),
    'boot-loader-fails': parseStorePath(systems['boot-loader-fails']),
    sticks: parseStorePath(systems.sticks),
  };
}

const units = '/run/systemd/system';
const lock = '/run/nixos/switch-to-configuration.lock';

hostContract('a test host', async () => {
  const lab = await createLab({ hosts: ['h1'] });
  const host = lab.host('h1');
  const bench = await workbench(lab, host);
  return {
    name: parseHostName(host.name),
    connection: bench.connection,
    steps: bench.steps,
    toplevels: parsed(await systemsOn(lab, host, files)),
    async mend() {
      await shell(host, 'rm -f /run/poisoned; systemctl reset-failed');
    },
    async disown() {
      await shell(host, 'rm /nix/var/varve/owner');
    },
    async holdSwitchLock() {
      await shell(
        host,
        `mkdir -p /run/nixos; systemd-run -q --collect --unit=somebody flock ${lock} sleep infinity`,
      );
      await eventually(async () => (await shell(host, `flock -n ${lock} true || echo held`)) === 'held', {
        deadlineMs: 10_000,
        what: 'somebody who holds the lock',
      });
      return async () => void (await shell(host, 'systemctl stop somebody.service'));
    },
    async breakUnit() {
      const unit = `${units}/old-trouble.service`;
      const wants = `${units}/multi-user.target.wants`;
      await shell(
        host,
        `printf "[Service]\\nType=oneshot\\nExecStart=/bin/false\\n" > ${unit}; mkdir -p ${wants}; ` +
          `ln -s ../old-trouble.service ${wants}/; systemctl daemon-reload; systemctl start old-trouble.service`,
      );
      return async () =>
        void (await shell(host, `rm -r ${wants} ${unit}; systemctl daemon-reload; systemctl reset-failed`));
    },
    async quarantine() {
      await shell(host, 'touch /run/quarantined');
      return async () => void (await shell(host, 'rm /run/quarantined'));
    },
    async powerCut() {
      await host.powerCut();
      await host.boot();
    },
    moment: () => pause(200),
    async close() {
      bench.close();
      await lab.close();
    },
  };
});
