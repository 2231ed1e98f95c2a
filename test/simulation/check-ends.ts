import type { RecordedEnd } from '../../shared/domain/contact.ts';
import type { Deployment } from '../../shared/domain/deployment.ts';
import type { FactOf } from '../../shared/domain/facts.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Machine } from './models/machine.ts';
import type { Quality, Systems } from './models/systems.ts';

/** An activation that began on a host. */
export interface Activation {
  readonly deployment: Deployment;
  readonly bootId: string;
  readonly previous: StorePath;
  /** Profile and boot default before it. */
  readonly lasting: { readonly profile: StorePath; readonly bootDefault: StorePath };
  end: RecordedEnd | undefined;
}

/** Systems that a host goes back from, or never switches to. */
const neverSucceeds: ReadonlySet<Quality> = new Set<Quality>([
  'build-fails',
  'refused',
  'breaks',
  'sticks',
  'cuts-network',
  'locks-out',
  'unhealthy',
  'boot-loader-fails',
]);

export interface EndChecks {
  /** The outcome in the ledger is what the host says. */
  checkOutcome(fact: FactOf<'outcome'>, activation: Activation | undefined): void;
  /** The host really is as its record says. */
  checkRecord(machine: Machine, activation: Activation, end: RecordedEnd): void;
}

/** How activations ended: by the ledger, by the record on the host, and by what runs there. */
export function createEndChecks(deps: {
  readonly systems: Systems;
  readonly require: (holds: boolean, invariant: number, host: HostName, what: string) => void;
}): EndChecks {
  const { systems, require } = deps;

  function checkOutcome(fact: FactOf<'outcome'>, activation: Activation | undefined): void {
    const { deployment: id, host } = fact.aim;
    const end = activation?.end;
    const says = `the ledger says that ${id} ${fact.phase}`;
    switch (fact.phase) {
      case 'succeeded':
      case 'awaiting-reboot':
      case 'stuck':
        require(end?.kind === fact.phase, 7, host, `${says}, the host says ${end?.kind ?? 'nothing'}`);
        return;
      case 'rolled-back':
      case 'unconfirmed':
        require(!fact.evidence ||
          (end?.kind === 'rolled-back' && end.evidence) ||
          fact.failure?.code ===
            'CONFIRM_TIMEOUT', 7, host, `${says}, and blames a system that nothing speaks against`);
        require(end?.kind === 'rolled-back', 7, host, `${says}, the host says ${end?.kind ?? 'nothing'}`);
        return;
      case 'failed':
        require(activation === undefined ||
          end?.kind === 'failed', 7, host, `${says}, the host says ${end?.kind ?? 'that it goes on'}`);
        return;
      default:
        require(activation === undefined, 7, host, `${says}, yet the host has started it`);
    }
  }

  function checkRecord(
    machine: Machine,
    { deployment, lasting, previous, bootId }: Activation,
    end: RecordedEnd,
  ) {
    const { id, host, toplevel, action, mode } = deployment;
    const { current, profile, bootDefault } = machine;
    // It was only said what would happen.
    if (mode === 'dry-activate') return;
    if (end.kind === 'succeeded') {
      // What is only tested is gone with the next boot.
      const lasts = mode === 'test' ? lasting : { profile: toplevel, bootDefault: toplevel };
      const all = current === toplevel && profile === lasts.profile && bootDefault === lasts.bootDefault;
      require(all, 7, host, `${id} succeeded, and the host does not run it ${mode === 'test' ? 'for now' : 'for good'}`);
      const { quality } = systems.find(toplevel);
      const mayFail = quality === 'boot-loader-fails' && mode === 'test';
      require(action !== 'activate' ||
        mayFail ||
        !neverSucceeds.has(quality), 7, host, `${id} succeeded with a system that ${quality}`);
    }
    if (end.kind === 'rolled-back') {
      // A host that was booted meanwhile runs its boot default.
      const runs = bootId === machine.bootId ? previous : lasting.bootDefault;
      const same =
        (current === runs || action === 'reboot') &&
        profile === lasting.profile &&
        bootDefault === lasting.bootDefault;
      require(same, 3, host, `${id} was rolled back, and the host is not as it was before`);
    }
  }

  return { checkOutcome, checkRecord };
}
