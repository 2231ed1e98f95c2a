import { describe, expect, it } from 'vitest';
import { parseTree } from '../../../../shared/domain/names.ts';
import { syntheticCommit } from '../../../../shared/platform/synthetic-commit.ts';

describe('the synthetic commit of a tree', () => {
  it('has this SHA for ever: another one would evaluate every tree anew and change what embeds it', () => {
    const empty = parseTree('4b825dc642cb6eb9a060e54bf8d69288fbee4904');
    expect(syntheticCommit(empty).bytes.toString('utf8')).toBe(
      'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n' +
        'author Varve <varve@varve.invalid> 1 +0000\n' +
        'committer Varve <varve@varve.invalid> 1 +0000\n' +
        '\n' +
        'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n',
    );
    expect(syntheticCommit(empty).sha).toBe('76041ba5eca31a6ffc6b5f371cfa9a4ea0ade0f6');
  });
});
