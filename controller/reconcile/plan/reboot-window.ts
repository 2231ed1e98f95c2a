import { type HostSpec } from '../../../shared/domain/fleet.ts';
import type { Memory } from '../../../shared/domain/memory.ts';
import type { Followed } from './judge-said.ts';
import type { RebootWindow } from './reboot.ts';
import { mayStart } from './windows.ts';

/** Whether a host that is rebooted in its windows may be rebooted now: it must have some, and one must be open. */
export function rebootWindow(spec: HostSpec, { fleet }: Followed, memory: Memory, now: number): RebootWindow {
  const { windows } = spec;
  if (spec.reboot.when !== 'window') return { open: true };
  if (!windows.some(({ kind }) => kind === 'allow')) {
    return { open: false, reason: 'it has no window', until: undefined };
  }
  return mayStart({ windows, freezes: fleet.freezes, overrides: memory.overrides, member: spec }, now);
}
