import { describe, expect, it } from 'vitest';

import { readObjects } from '../../../../controller/ledger/objects.ts';
import type { GitProgram } from '../../../../shared/platform/git-program.ts';

const ids = ['a', 'b', 'c'].map((digit) => digit.repeat(40));
const contents = ['first\n', '', `third ${'x'.repeat(1_000)}\nwith ${ids[0]} blob 3\nin it`];

function answering(output: Buffer, pieces: number): GitProgram {
  return {
    async run(args, { onOutput } = {}) {
      for (let at = 0; at < output.length; at += pieces) onOutput?.(output.subarray(at, at + pieces));
      return {
        argv: args,
        code: 0,
        signal: undefined,
        stdout: Buffer.alloc(0),
        truncated: false,
        stderrTail: 'fatal: it ended\n',
        durationMs: 1,
      };
    },
    ok: () => Promise.reject(new Error('not used')),
  };
}

function answer(of: readonly string[]): Buffer {
  const objects = of.map((content, n) => `${ids[n]} blob ${Buffer.byteLength(content)}\n${content}\n`);
  return Buffer.from(objects.join(''));
}

async function read(output: Buffer, pieces: number): Promise<readonly string[]> {
  const taken: string[] = [];
  await readObjects(answering(output, pieces), '/nowhere', ids, 'blob', (id, bytes, n) => {
    expect(id).toBe(ids[n]);
    taken.push(bytes.toString('utf8'));
  });
  return taken;
}

describe('objects that Git gives one after another', () => {
  it.each([1, 2, 7, 46, 47, 48, 1_000, 100_000])('are read whole in pieces of %i bytes', async (pieces) => {
    expect(await read(answer(contents), pieces)).toEqual(contents);
  });

  it('are missed when there are too few of them, wherever the output ends', async () => {
    const output = answer(contents);
    for (let length = 0; length < output.length; length += 13) {
      await expect(read(output.subarray(0, length), 64)).rejects.toThrow('it ended');
    }
  });

  it('are refused when one is missing or of another type', async () => {
    await expect(read(Buffer.from(`${ids[0]} missing\n`), 64)).rejects.toThrow('it is missing');
    await expect(read(Buffer.from(`${ids[0]} tree 1\nx\n`), 64)).rejects.toThrow('it is missing');
  });
});
