import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { HostContact, ProbeTarget } from '../../../shared/domain/contact.ts';
import type { Deployment } from '../../../shared/domain/deployment.ts';
import type { Connection, Timeouts } from '../../../shared/domain/fleet.ts';
import {
  parseDeploymentId,
  parseDrvPath,
  parseHostName,
  parseRevision,
  parseStorePath,
  type StorePath,
  parseTree,
} from '../../../shared/domain/names.ts';
import { noFaults } from '../../../shared/platform/ports/faults.ts';
import type { ActivateOutcome, ActivationEvent, Steps } from '../../../shared/platform/ports/steps.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { createSystemClock } from '../../../shared/platform/system-clock.ts';
import { createActivate } from '../../../worker/activate/activate.ts';
import { createChecks } from '../../../worker/checks/checks.ts';
import { guardBytes, guardStorePath } from '../../../worker/guard/guard-path.ts';
import { createProbe } from '../../../worker/probe/probe.ts';
import { type Ssh, createSsh } from '../../../worker/ssh/ssh.ts';
import { run } from '../../hosts/command.ts';
import { type Lab, createLab } from '../../hosts/lab.ts';
import type { TestHost } from '../../hosts/test-host.ts';
import { shell, systemsOn } from '../hosts/support.ts';

export const owner = 'this-varve';

/** What a test may change of a deployment. */
export type Wish = Partial<
  Pick<
    Deployment,
    'id' | 'action' | 'mode' | 'token' | 'owner' | 'known' | 'next' | 'checks' | 'unitFailures' | 'reboot'
  >
> & {
  readonly timeouts?: Partial<Timeouts>;
  readonly onEvent?: (event: ActivationEvent) => Promise<void>;
};

type Ended = Extract<ActivateOutcome, { kind: 'ended' }>;

export interface Activation {
  readonly outcome: Exclude<ActivateOutcome, Ended> | Omit<Ended, 'previous'>;
  /** What ran before, as an outcome that is an end says. */
  readonly previous: StorePath | undefined;
  readonly events: readonly ActivationEvent[];
  readonly log: readonly string[];
}

/** The steps of a worker against one host, and what tests want to know of it. */
export interface Workbench {
  readonly ssh: Ssh;
  readonly connection: Connection;
  readonly steps: Pick<Steps, 'activate' | 'probe'>;
  deployment(toplevel: string, wish?: Wish): Deployment;
  activate(toplevel: string, wish?: Wish, signal?: AbortSignal): Promise<Activation>;
  /** For what a test only needs to begin with. */
  mustSucceed(toplevel: string): Promise<void>;
  probe(wish?: Partial<ProbeTarget>): Promise<HostContact>;
  /** The journal of a deployment, one event a word. */
  journal(id: string): Promise<string>;
  /** Makes the guard die at one of its points, once. */
  fault(point: string): Promise<void>;
  close(): void;
}

/** What a service configuration would let checks name. */
const workerCommands = new Map([
  ['says-no', { argv: ['sh', '-c', 'echo "$VARVE_HOST is quarantined"; exit 1'] as const, timeoutMs: 5_000 }],
]);

let counter = 0;

/** Puts the guard on a host, as deliveries do, and adopts the host. */
export async function workbench(lab: Lab, host: TestHost): Promise<Workbench> {
  await putGuard(lab, host);
  const clock = createSystemClock();
  const ssh = createSsh({ keyFiles: [lab.privateKeyPath], connectDeadlineMs: 3_000, keepaliveMs: 300 });
  const connection = connectionOf(host);
  const checks = createChecks({ clock, run: createRun(), commands: workerCommands });
  const activate = createActivate({
    ssh,
    checks,
    clock,
    faultPoint: noFaults,
    runNamedCommand: async () => undefined,
  });
  const probe = createProbe({ ssh, checks, clock });
  const nobody = new AbortController().signal;

  const deployment = (toplevel: string, wish: Wish = {}): Deployment => {
    counter += 1;
    const { timeouts, onEvent: _, ...rest } = wish;
    return {
      id: parseDeploymentId(`d${String(counter).padStart(6, '0')}`),
      version: 1,
      host: parseHostName(host.name),
      observation: counter,
      revision: parseRevision('a'.repeat(40)),
      tree: parseTree('b'.repeat(40)),
      toplevel: parseStorePath(toplevel),
      drvPath: parseDrvPath(`/nix/store/${'0'.repeat(32)}-system.drv`),
      action: 'activate',
      mode: 'switch',
      reason: 'a test',
      token: { epoch: 1, counter },
      owner,
      known: [connection],
      next: connection,
      checks: [],
      unitFailures: 'new',
      transport: { by: 'push', substitute: false },
      reboot: undefined,
      knownBad: [],
      retained: [],
      flake: { folder: '.', attribute: 'nixosConfigurations' },
      attribute: host.name,
      phase: 'activating',
      createdAt: 0,
      phaseAt: 0,
      timeline: {},
      delivery: undefined,
      previous: undefined,
      failure: undefined,
      evidence: false,
      ...rest,
      timeouts: {
        buildMs: 1,
        pushMs: 1,
        activationMs: 20_000,
        confirmMs: 10_000,
        settleMs: 0,
        ...timeouts,
      },
    };
  };

  const bench: Workbench = {
    ssh,
    connection,
    steps: { activate, probe },
    deployment,
    async activate(toplevel, wish, signal = nobody) {
      const events: ActivationEvent[] = [];
      const log: string[] = [];
      const context = { signal, log: (line: string) => void log.push(line), progress: () => {} };
      const told = await activate(deployment(toplevel, wish), context, async (event) => {
        events.push(event);
        await wish?.onEvent?.(event);
      });
      const { previous, ...outcome } = { previous: undefined, ...told };
      return { outcome, previous, events, log };
    },
    async mustSucceed(toplevel) {
      const { outcome } = await bench.activate(toplevel);
      if (outcome.kind === 'ended' && outcome.end.kind === 'succeeded') return;
      throw new Error(`the activation did not succeed: ${JSON.stringify(outcome)}`);
    },
    probe: (wish) =>
      probe(
        {
          host: parseHostName(host.name),
          askedAt: 1,
          connections: [connection],
          ask: [],
          acknowledged: [],
          fence: undefined,
          adopt: undefined,
          checks: [],
          retain: undefined,
          tidy: undefined,
          expected: undefined,
          ...wish,
        },
        'incarnation',
        { signal: nobody, log: () => {}, progress: () => {} },
      ),
    journal: (id) => shell(host, `cut -d' ' -f2 /nix/var/varve/records/${id}/journal | tr '\\n' ' '`),
    async fault(point) {
      await shell(host, `mkdir -p /nix/var/varve/faults && touch /nix/var/varve/faults/${point}`);
    },
    close: () => ssh.close(),
  };
  return bench;
}

export function connectionOf(host: TestHost): Connection {
  return { address: host.address, port: host.port, user: 'root', hostKeys: [host.hostKey] };
}

async function putGuard(lab: Lab, host: TestHost): Promise<void> {
  const folder = join(lab.dir, `guard-${host.name}`);
  const file = join(folder, 'varve-guard');
  await mkdir(folder, { recursive: true });
  await writeFile(file, guardBytes);
  await run(['cp', file, join(host.rootDir, 'root/varve-guard')]);
  const path = await shell(host, 'nix-store --add-fixed sha256 /root/varve-guard 2>/dev/null');
  if (path !== guardStorePath()) throw new RangeError(`the guard is at ${path}, not at ${guardStorePath()}`);
}

/**
 * One test host with the guard and these systems on it, adopted unless the tests are about that. `close` takes it all
 * away again.
 */
export async function guardHost<Name extends string>(
  files: Record<Name, string>,
  options: { readonly adopted?: boolean; readonly emptyServicePath?: boolean } = {},
): Promise<{
  readonly lab: Lab;
  readonly host: TestHost;
  readonly bench: Workbench;
  readonly systems: Record<Name, string>;
  readonly close: () => Promise<void>;
}> {
  const { adopted = true, ...kind } = options;
  const lab = await createLab({ hosts: ['h1'], ...kind });
  try {
    const host = lab.host('h1');
    const bench = await workbench(lab, host);
    const systems = await systemsOn(lab, host, files);
    if (adopted) await bench.probe({ adopt: { owner, takeover: false } });
    const close = async (): Promise<void> => {
      bench.close();
      await lab.close();
    };
    return { lab, host, bench, systems, close };
  } catch (thrown) {
    await lab.close();
    throw thrown;
  }
}
