/**
 * What real daemons said, byte for byte: Nix 2.8.0 and 2.26.3 of Debian, each with a new store. A client claimed version
 * 1.35, sent three paths with AddToStoreNar (operation 39, signatures not checked) and a fourth whose hash was wrong, and
 * asked for the infos of all (26) and for which are valid (31). The two differ in their greetings only.
 */
import type { ValidPathInfo } from '../../../../../worker/nix/protocol/path-info.ts';

function fromBase64(...lines: readonly string[]): Buffer {
  return Buffer.from(lines.join(''), 'base64');
}

export const greetings = {
  '2.8.0': fromBase64('b2l4ZAAAAAAiAQAAAAAAAAUAAAAAAAAAMi44LjAAAABzdGxhAAAAAA=='),
  '2.26.3': fromBase64('b2l4ZAAAAAAmAQAAAAAAAAYAAAAAAAAAMi4yNi4zAAABAAAAAAAAAHN0bGEAAAAA'),
} as const;

const store = '/nix/store/0000000000000000000000000000000';

/** What was sent. The seed of the key that has signed the first is the bytes 0 to 31. */
export const added = {
  signed: {
    path: `${store}1-a`,
    deriver: `${store}4-a.drv`,
    narHash: '9276fd53b49dcbf6168f8823aef1487af2ee4e2304b7ee6412dba79982b90a86',
    references: [],
    registeredAt: 1_700_000_000,
    narSize: 120,
    ultimate: true,
    signatures: [
      'test-1:/MkpaEwsqR1Y2pwVsjOUSjnQ9ZGGxNebZ8DfzcA3YNlD+swpivUjO4+c2plQ4PGnPDhIWPXLvpMppcZGsMKEBQ==',
    ],
    contentAddress: undefined,
  },
  referring: {
    path: `${store}2-b`,
    deriver: undefined,
    narHash: 'df69f950f672ac885a8651de72f9d452ccc91bbf9d553c947f0ab31ccba1abc9',
    references: [`${store}1-a`, `${store}2-b`],
    registeredAt: 1_700_000_000,
    narSize: 120,
    ultimate: false,
    signatures: [
      'other-1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==',
      'some-1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg==',
    ],
    contentAddress: undefined,
  },
  contentAddressed: {
    path: '/nix/store/gwina1sjk7g95wq6fxc6b7s1hza53h74-hello',
    deriver: undefined,
    narHash: '1c37d01af40be2e80691de3cc3df44377a699afbb17c68f080964b2fd071fc13',
    references: [],
    registeredAt: 1_700_000_000,
    narSize: 120,
    ultimate: false,
    signatures: [],
    contentAddress: 'fixed:r:sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw',
  },
} as const satisfies Readonly<Record<string, ValidPathInfo>>;

/** The path whose hash was wrong. */
export const refused = `${store}3-d`;

export const answers = {
  /** To each of the three that were added. */
  added: fromBase64('c3RsYQAAAAA='),
  refused: fromBase64(
    'cHR4YwAAAAAFAAAAAAAAAEVycm9yAAAAAAAAAAAAAAAFAAAAAAAAAEVycm9yAAAAAAEAAAAAAABoYXNoIG1pc21hdGNoIGltcG9y',
    'dGluZyBwYXRoICcbWzM1OzFtL25peC9zdG9yZS8wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMy1kG1swbSc7CiAgc3Bl',
    'Y2lmaWVkOiAbWzM1OzFtc2hhMjU2OjAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAb',
    'WzBtCiAgZ290OiAgICAgICAbWzM1OzFtc2hhMjU2OjA1YWxsbTRsNTcwbnp6M2FwcXM1MjVjOGs3bGNwbWlyN2N3NWFqMnlqbWNr',
    'NTgxNjV4YTIbWzBtAAAAAAAAAAAAAAAAAAAAAA==',
  ),
  infos: {
    signed: fromBase64(
      'c3RsYQAAAAABAAAAAAAAADEAAAAAAAAAL25peC9zdG9yZS8wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwNC1hLmRydgAA',
      'AAAAAABAAAAAAAAAADkyNzZmZDUzYjQ5ZGNiZjYxNjhmODgyM2FlZjE0ODdhZjJlZTRlMjMwNGI3ZWU2NDEyZGJhNzk5ODJiOTBh',
      'ODYAAAAAAAAAAADxU2UAAAAAeAAAAAAAAAABAAAAAAAAAAEAAAAAAAAAXwAAAAAAAAB0ZXN0LTE6L01rcGFFd3NxUjFZMnB3VnNq',
      'T1VTam5ROVpHR3hOZWJaOERmemNBM1lObEQrc3dwaXZVak80K2MycGxRNFBHblBEaElXUFhMdnBNcHBjWkdzTUtFQlE9PQAAAAAA',
      'AAAAAA==',
    ),
    referring: fromBase64(
      'c3RsYQAAAAABAAAAAAAAAAAAAAAAAAAAQAAAAAAAAABkZjY5Zjk1MGY2NzJhYzg4NWE4NjUxZGU3MmY5ZDQ1MmNjYzkxYmJmOWQ1',
      'NTNjOTQ3ZjBhYjMxY2NiYTFhYmM5AgAAAAAAAAAtAAAAAAAAAC9uaXgvc3RvcmUvMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw',
      'MDAwMDEtYQAAAC0AAAAAAAAAL25peC9zdG9yZS8wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMi1iAAAAAPFTZQAAAAB4',
      'AAAAAAAAAAAAAAAAAAAAAgAAAAAAAABgAAAAAAAAAG90aGVyLTE6QVFFQkFRRUJBUUVCQVFFQkFRRUJBUUVCQVFFQkFRRUJBUUVC',
      'QVFFQkFRRUJBUUVCQVFFQkFRRUJBUUVCQVFFQkFRRUJBUUVCQVFFQkFRRUJBUUVCQVE9PV8AAAAAAAAAc29tZS0xOkFnSUNBZ0lD',
      'QWdJQ0FnSUNBZ0lDQWdJQ0FnSUNBZ0lDQWdJQ0FnSUNBZ0lDQWdJQ0FnSUNBZ0lDQWdJQ0FnSUNBZ0lDQWdJQ0FnSUNBZ0lDQWdJ',
      'Q0FnPT0AAAAAAAAAAAA=',
    ),
    contentAddressed: fromBase64(
      'c3RsYQAAAAABAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAxYzM3ZDAxYWY0MGJlMmU4MDY5MWRlM2NjM2RmNDQzNzdhNjk5YWZiYjE3',
      'YzY4ZjA4MDk2NGIyZmQwNzFmYzEzAAAAAAAAAAAA8VNlAAAAAHgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEMAAAAAAAAAZml4ZWQ6',
      'cjpzaGEyNTY6MDR6d2Y3ODJ5anduaDNxNmh6NWl6ZmQ2anlpcDhrZ3c2ZzZ5ajQzZmlxaGJ5aGRkMGRxdwAAAAAA',
    ),
    refused: fromBase64('c3RsYQAAAAAAAAAAAAAAAA=='),
  },
  /** To which of the four are valid. */
  valid: fromBase64(
    'c3RsYQAAAAADAAAAAAAAAC0AAAAAAAAAL25peC9zdG9yZS8wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMS1hAAAALQAA',
    'AAAAAAAvbml4L3N0b3JlLzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAyLWIAAAAxAAAAAAAAAC9uaXgvc3RvcmUvZ3dp',
    'bmExc2prN2c5NXdxNmZ4YzZiN3MxaHphNTNoNzQtaGVsbG8AAAAAAAAA',
  ),
} as const;
