import { expect, test } from 'vitest';

import { mayHold } from '../../../../worker/push/disk.ts';

const disk = { free: 100, filesystem: 'ext2/ext3', collects: false, shares: false };

test.each(['ext2/ext3', 'xfs', 'tmpfs'])('%s holds as much as it has room for', (filesystem) => {
  expect(mayHold({ ...disk, filesystem }, 100)).toBe(true);
  expect(mayHold({ ...disk, filesystem }, 101)).toBe(false);
});

test.each(['btrfs', 'zfs', 'bcachefs', 'UNKNOWN (0x4d4f4f4e)'])(
  'what %s compresses may fit where it seems not to, but not however much it is',
  (filesystem) => {
    expect(mayHold({ ...disk, filesystem }, 300)).toBe(true);
    expect(mayHold({ ...disk, filesystem }, 500)).toBe(false);
  },
);

test('where Nix keeps equal files once more may fit, but not however much it is', () => {
  expect(mayHold({ ...disk, shares: true }, 300)).toBe(true);
  expect(mayHold({ ...disk, shares: true }, 500)).toBe(false);
});

test('where Nix collects garbage by itself nobody knows how much will fit', () => {
  expect(mayHold({ ...disk, collects: true }, 500)).toBe(true);
});
