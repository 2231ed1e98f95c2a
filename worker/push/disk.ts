/** What is known of the disk that a host's store is on. */
export interface Disk {
  /** In bytes. */
  readonly free: number;
  /** As `stat` calls it. */
  readonly filesystem: string;
  /** Nix collects garbage there when little is free (`min-free`). */
  readonly collects: boolean;
  /** Nix keeps what is the same in several files once (`auto-optimise-store`). */
  readonly shares: boolean;
}

/** They take as many bytes for a file as it has. Others may compress it: btrfs, zfs, bcachefs. */
const asItIs = /^(?:ext|xfs|tmpfs)/;

/** Of the files of a system zstd leaves a third (nix.md §2.1); what they share with others is less than that. */
const mostTimes = 4;

/**
 * Whether there may be room for so many bytes of files. Where there is none for certain, nothing is sent: a disk that is
 * full to the last byte is in the way of all that runs on the host. Pure.
 */
export function mayHold({ free, filesystem, collects, shares }: Disk, bytes: number): boolean {
  return collects || bytes <= (asItIs.test(filesystem) && !shares ? free : free * mostTimes);
}
