import { FleetError } from '../../shared/domain/errors.ts';
import type { Tree } from '../../shared/domain/names.ts';
import { syntheticCommit } from '../../shared/platform/synthetic-commit.ts';
import type { Mirror } from './mirror.ts';

/** A pack of a tree's synthetic commit and all that it reaches, complete in itself. */
export async function packTree(mirror: Mirror, tree: Tree): Promise<Uint8Array> {
  const synthetic = syntheticCommit(tree);
  const written = await mirror.ok(['hash-object', '-t', 'commit', '-w', '--stdin'], {
    input: synthetic.bytes,
  });
  if (written !== synthetic.sha) {
    throw new FleetError({
      code: 'INTERNAL',
      disposition: 'stalled',
      message: `Git names the commit of tree ${tree} otherwise than expected`,
    });
  }
  // Not through a file: Git can rename a pack only within one file system, and /tmp is often one of its own.
  const packed = await mirror.run(
    [
      // A worker waits for it, and looks at each object once: what is packed already is taken as it is, nothing is
      // made as small as it could be.
      ...['-c', 'pack.compression=1', 'pack-objects', '--stdout', '--revs', '--quiet', '--window=0'],
      ...['--delta-base-offset', '--threads=1'],
    ],
    { input: `${synthetic.sha}\n`, deadlineMs: 600_000, maxOutputBytes: largestPackBytes },
  );
  if (packed.code !== 0) {
    throw new FleetError({
      code: 'INTERNAL',
      disposition: 'transient',
      message: `tree ${tree} could not be packed: ${packed.stderrTail.trim().slice(-500)}`,
    });
  }
  if (packed.truncated) {
    throw new FleetError({
      code: 'UNSUPPORTED_CONTENT',
      disposition: 'stalled',
      message: `tree ${tree} is larger than ${largestPackBytes / 1024 ** 2} MiB, even packed`,
      hint: 'keep large files out of the repository: fetch them in the configuration, by their hash',
    });
  }
  return packed.stdout;
}

/** A pack is held in memory while it is sent. */
const largestPackBytes = 1024 ** 3;
