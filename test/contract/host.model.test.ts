import { plainPolicy } from '../simulation/policy.ts';
import { noFaults } from '../../shared/platform/ports/faults.ts';
import { createFaults } from '../simulation/faults.ts';
import type { HostWatch } from '../simulation/models/machine.ts';
import { createModelHost } from '../simulation/models/model-host.ts';
import { createRepository } from '../simulation/models/model-source.ts';
import { createModelSteps } from '../simulation/models/model-steps.ts';
import { createSystems, type Quality } from '../simulation/models/systems.ts';
import { firstContent } from '../simulation/outside.ts';
import { createRandom } from '../simulation/random.ts';
import { createScheduler } from '../simulation/scheduler.ts';
import type { Behaviour } from './host-rig.ts';
import { hostContract } from './host.contract.ts';
import { web1 } from './samples.ts';

const nobody: HostWatch = { started() {}, changed() {}, ended() {}, probed() {} };

hostContract('the model', async () => {
  const random = createRandom('host');
  const scheduler = createScheduler(random.fork('scheduler'));
  const faults = createFaults(random.fork('faults'), new Set());
  const systems = createSystems();
  const aSystem = (variant: number, quality: Quality) =>
    systems.of(web1, { variant, quality, port: 22 }).toplevel;
  const genesis = aSystem(0, 'good');
  const host = createModelHost({ name: web1, scheduler, random, systems, genesis, watch: nobody });
  const worker = scheduler.spawn('worker');
  const steps = createModelSteps({
    process: worker,
    scheduler,
    faults,
    random,
    systems,
    repository: createRepository({ scheduler, faults, first: firstContent([web1]), policy: plainPolicy }),
    hosts: new Map([[web1, host]]),
    faultPoint: noFaults,
  });
  const toplevels: Record<Behaviour, typeof genesis> = {
    one: aSystem(1, 'good'),
    two: aSystem(3, 'good'),
    'other-kernel': aSystem(2, 'good'),
    refused: aSystem(1, 'refused'),
    breaks: aSystem(1, 'breaks'),
    'fails-unit': aSystem(1, 'fails-unit'),
    hangs: aSystem(1, 'hangs'),
    'needs-reboot': aSystem(1, 'needs-reboot'),
    'cuts-network': aSystem(1, 'cuts-network'),
    unhealthy: aSystem(1, 'unhealthy'),
    'boot-loader-fails': aSystem(1, 'boot-loader-fails'),
    sticks: aSystem(1, 'sticks'),
  };
  for (const toplevel of Object.values(toplevels)) host.receive(toplevel);

  /** Time goes on only while somebody waits for the model, and then as fast as it can. */
  let awaited = 0;
  let goesOn = false;
  async function goOn(): Promise<void> {
    if (goesOn) return;
    goesOn = true;
    while (awaited > 0) await scheduler.step(0);
    goesOn = false;
  }
  async function during<Value>(call: Promise<Value>): Promise<Value> {
    awaited += 1;
    void goOn();
    return call.finally(() => {
      awaited -= 1;
    });
  }

  return {
    name: web1,
    connection: { address: web1, port: 22, user: 'root', hostKeys: [] },
    steps: {
      activate: (deployment, context, onEvent) => during(steps.activate(deployment, context, onEvent)),
      probe: (target, incarnation, context) => during(steps.probe(target, incarnation, context)),
    },
    toplevels,
    mend: async () => {},
    async disown() {
      host.machine.owner = undefined;
    },
    async holdSwitchLock() {
      host.holdSwitchLock(3_600_000);
      return async () => host.holdSwitchLock(0);
    },
    async breakUnit() {
      host.machine.brokenUnits.add('old-trouble.service');
      return async () => void host.machine.brokenUnits.delete('old-trouble.service');
    },
    async quarantine() {
      host.machine.quarantined = true;
      return async () => void (host.machine.quarantined = false);
    },
    async powerCut() {
      host.cutPower(1_000);
      await during(scheduler.clock(worker).sleep(2_000));
    },
    moment: () => during(scheduler.clock(worker).sleep(200)),
    close: async () => {},
  };
});
