import { describe, expect, test } from 'vitest';

import { formatNarinfo, parseNarinfo, type Narinfo } from '../../../../worker/nix/narinfo.ts';
import { parseHash } from '../../../../worker/nix/hash.ts';
import { added } from './protocol/recorded.ts';

/** Files that `nix copy --to file://…` of 2.8.0 wrote, and of 2.26.3: the same. */
const signed = `StorePath: /nix/store/00000000000000000000000000000001-a
URL: nar/0kwnzfnhkydqkdls2rc7ag3w795w1ffd9m2vl1ys33y5hsg961lz.nar.xz
Compression: xz
FileHash: sha256:0kwnzfnhkydqkdls2rc7ag3w795w1ffd9m2vl1ys33y5hsg961lz
FileSize: 124
NarHash: sha256:11hap619k9yv29jfxdq44d7fxwks93qsw8w8iwbgdjwxni9zsxlj
NarSize: 120
References: 
Deriver: 00000000000000000000000000000004-a.drv
Sig: test-1:/MkpaEwsqR1Y2pwVsjOUSjnQ9ZGGxNebZ8DfzcA3YNlD+swpivUjO4+c2plQ4PGnPDhIWPXLvpMppcZGsMKEBQ==
`;
const referring = `StorePath: /nix/store/00000000000000000000000000000002-b
URL: nar/03y9jglwihslqdb4f789x2wvz71npv4n8zimf5c7awjrr9ixdr28.nar.xz
Compression: xz
FileHash: sha256:03y9jglwihslqdb4f789x2wvz71npv4n8zimf5c7awjrr9ixdr28
FileSize: 124
NarHash: sha256:1jdbl75ircqagya3qmcxpwdwkk2jskwp5pjihrd8ib3jyr8gjsfz
NarSize: 120
References: 00000000000000000000000000000001-a 00000000000000000000000000000002-b
Sig: other-1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==
Sig: some-1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg==
`;
const contentAddressed = `StorePath: /nix/store/gwina1sjk7g95wq6fxc6b7s1hza53h74-hello
URL: nar/04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw.nar
Compression: none
FileHash: sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw
FileSize: 120
NarHash: sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw
NarSize: 120
References: 
CA: fixed:r:sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw
`;

function narinfo(kind: keyof typeof added, file: string, compression: string, fileSize: number): Narinfo {
  return {
    info: { ...added[kind], registeredAt: 0, ultimate: false },
    url: `nar/${file}`,
    compression,
    fileHash: parseHash(`sha256:${file.slice(0, 52)}`),
    fileSize,
  };
}

const files: readonly (readonly [what: string, text: string, said: Narinfo])[] = [
  [
    'that is signed',
    signed,
    narinfo('signed', '0kwnzfnhkydqkdls2rc7ag3w795w1ffd9m2vl1ys33y5hsg961lz.nar.xz', 'xz', 124),
  ],
  [
    'that refers to others',
    referring,
    narinfo('referring', '03y9jglwihslqdb4f789x2wvz71npv4n8zimf5c7awjrr9ixdr28.nar.xz', 'xz', 124),
  ],
  [
    'that is content-addressed',
    contentAddressed,
    narinfo('contentAddressed', '04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw.nar', 'none', 120),
  ],
];

describe('a narinfo file of a path', () => {
  test.each(files)('%s is read', (_, text, said) => {
    expect(parseNarinfo(text)).toEqual(said);
  });

  test.each(files)('%s is written as Nix writes it', (_, text, said) => {
    expect(formatNarinfo(said)).toBe(text);
  });

  test('is written with the references in order, whatever theirs is here', () => {
    const [, , said] = files[1]!;
    const references = said.info.references.toReversed();
    expect(formatNarinfo({ ...said, info: { ...said.info, references } })).toBe(referring);
  });

  test('may leave out how its archive is compressed, and what becomes of it then', () => {
    const least = signed.replaceAll(/^(?:Compression|FileHash|FileSize|Deriver|Sig): .*\n/gm, '');
    expect(parseNarinfo(least)).toMatchObject({
      info: { deriver: undefined, signatures: [] },
      compression: 'bzip2',
      fileHash: undefined,
      fileSize: undefined,
    });
  });

  test('may say what nobody here knows, and hashes in other ways', () => {
    const more = `${signed.replace('sha256:11hap619k9yv29jfxdq44d7fxwks93qsw8w8iwbgdjwxni9zsxlj', `sha256:${added.signed.narHash}`)}System: x86_64-linux\n`;
    expect(parseNarinfo(more).info).toEqual({ ...added.signed, registeredAt: 0, ultimate: false });
  });

  test('may have a deriver that nobody knows', () => {
    const unknown = signed.replace(/^Deriver: .*$/m, 'Deriver: unknown-deriver');
    expect(parseNarinfo(unknown).info.deriver).toBeUndefined();
  });
});

describe('what is no narinfo file is refused with the line that cannot be:', () => {
  test.each([
    ['nothing', '', 'StorePath is missing'],
    ['half a file', signed.slice(0, 300), 'line 7: it does not end'],
    ['a web page', '<html>\n', 'line 1: "<html>" has no name and value'],
    ['an empty line', signed.replace('\nURL', '\n\nURL'), 'line 2: "" has no name and value'],
    ['two sizes', `${signed}NarSize: 5\n`, 'line 11: NarSize is there twice'],
    [
      'a path of another store',
      signed.replace('/nix/store', '/gnu/store'),
      'line 1: "/gnu/store/00000000000000000000000000000001-a" is no path of /nix/store/',
    ],
    [
      'a way out',
      referring.replace('00000000000000000000000000000001-a', '../../etc'),
      'line 8: "../../etc"',
    ],
    ['two blanks', referring.replace('-a 0', '-a  0'), 'line 8: ""'],
    ['another kind of hash', signed.replace('NarHash: sha256', 'NarHash: sha1'), 'line 6: "sha1:'],
    ['a hash without its kind', signed.replace(/NarHash: .*/, `NarHash: ${'0'.repeat(64)}`), 'line 6: "000'],
    ['no size', signed.replace('NarSize: 120', 'NarSize: 0'), 'line 7: "0" is no size'],
    ['half a size', signed.replace('FileSize: 124', 'FileSize: 1e3'), 'line 5: "1e3" is no size'],
    ['too large a size', signed.replace('NarSize: 120', `NarSize: ${'9'.repeat(20)}`), 'line 7: "9999'],
    ['no signature', signed.replace('Sig: test-1:', 'Sig: '), 'line 10: "/Mkpa'],
    ['an address with a blank', signed.replace('URL: nar/', 'URL: nar/ '), 'line 2: "nar/ 0kwn'],
  ])('%s', (_, text, message) => {
    expect(() => parseNarinfo(text)).toThrow(`a narinfo file cannot be read: ${message}`);
  });

  test.each(['StorePath', 'URL', 'NarHash', 'NarSize', 'References'])('no %s', (name) => {
    const without = signed.replace(new RegExp(`^${name}: .*\n`, 'm'), '');
    expect(() => parseNarinfo(without)).toThrow(`${name} is missing`);
  });
});
