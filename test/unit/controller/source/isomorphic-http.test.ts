import { describe, expect, it } from 'vitest';
import { withHead } from '../../../../controller/source/isomorphic-http.ts';

const sha = '0123456789012345678901234567890123456789';

function line(text: string): string {
  return (text.length + 5).toString(16).padStart(4, '0') + text + '\n';
}

function advertisement(...refs: string[]): Buffer {
  return Buffer.from(`${line('# service=git-upload-pack')}0000${refs.map(line).join('')}0000`, 'latin1');
}

describe('an advertisement of refs', () => {
  it('gets a HEAD in its capabilities where it has none', () => {
    const given = withHead(advertisement(`${sha} refs/heads/main\0ofs-delta shallow`, `${sha} refs/heads/x`));
    expect(given).toEqual(
      advertisement(
        `${sha} refs/heads/main\0ofs-delta shallow symref=HEAD:refs/heads/main`,
        `${sha} refs/heads/x`,
      ),
    );
  });

  it.each([
    [
      'with a HEAD',
      advertisement(`${sha} HEAD\0shallow symref=HEAD:refs/heads/main`, `${sha} refs/heads/main`),
    ],
    ['of an empty repository', advertisement(`${'0'.repeat(40)} capabilities^{}\0shallow`)],
    ['that is none', Buffer.from('<html>')],
  ])('is left alone %s', (_, given) => {
    expect(withHead(given)).toEqual(given);
  });
});
