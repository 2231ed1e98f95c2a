import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  // Through a file: a pack may be larger than what is kept of a program's output.
  const folder = await mkdtemp(join(tmpdir(), 'varve-pack-'));
  try {
    const name = await mirror.ok(
      [
        // A worker waits for it, and looks at each object once: what is packed already is taken as it is, nothing is
        // made as small as it could be.
        ...['-c', 'pack.compression=1', 'pack-objects', '--revs', '--quiet', '--window=0'],
        ...['--delta-base-offset', '--threads=1', join(folder, 'pack')],
      ],
      { input: `${synthetic.sha}\n`, deadlineMs: 600_000 },
    );
    return await readFile(join(folder, `pack-${name}.pack`));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
