/** What is known of the disk that a host's store is on. */
export interface Disk {
  /** In bytes. */
  readonly free: number;
  /** As `stat` calls it. */
  readonly filesystem: string;
}

/** They take as many bytes for a file as it has. Others may compress it: btrfs, zfs, bcachefs. */
const asItIs = /^(?:ext|xfs|tmpfs)/;

/** Of the files of a system zstd leaves a third (nix.md §2.1). */
const mostTimes = 4;

/**
 * Whether there may be room for so many bytes of files. Where there is none for certain, nothing is sent: a disk that is
 * full to the last byte is in the way of all that runs on the host. Pure.
 */
export function mayHold({ free, filesystem }: Disk, bytes: number): boolean {
  return bytes <= (asItIs.test(filesystem) ? free : free * mostTimes);
}
