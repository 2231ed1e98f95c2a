import { expect, test } from 'vitest';

import { mayHold } from '../../../../worker/push/disk.ts';

test.each(['ext2/ext3', 'xfs', 'tmpfs'])('%s holds as much as it has room for', (filesystem) => {
  expect(mayHold({ free: 100, filesystem }, 100)).toBe(true);
  expect(mayHold({ free: 100, filesystem }, 101)).toBe(false);
});

test.each(['btrfs', 'zfs', 'bcachefs', 'UNKNOWN (0x4d4f4f4e)'])(
  'what %s compresses may fit where it seems not to, but not however much it is',
  (filesystem) => {
    expect(mayHold({ free: 100, filesystem }, 300)).toBe(true);
    expect(mayHold({ free: 100, filesystem }, 500)).toBe(false);
  },
);
