import { FleetError } from '../../shared/domain/errors.ts';

/** Where the config repository is. `url` never has a password in it. */
export interface SourceUrl {
  readonly kind: 'http' | 'ssh' | 'file';
  readonly url: string;
}

/**
 * Reads a repository's address: http(s), ssh (also as `user@host:path`), file or an absolute path.
 * @throws FleetError CONFIG_INVALID, without the text of a password
 */
export function parseSourceUrl(text: string): SourceUrl {
  if (text === '' || /[\s\p{Cc}]/u.test(text)) {
    throw refused('the repository address is empty or has spaces or control characters in it');
  }
  if (text.startsWith('-')) throw refused('the repository address starts with `-`');
  if (text.startsWith('/')) return { kind: 'file', url: text };
  if (!text.includes('://')) return scpLike(text);
  if (!URL.canParse(text)) throw refused('the repository address is not a valid URL');
  const url = new URL(text);
  switch (url.protocol) {
    case 'http:':
    case 'https:':
      if (url.username !== '' || url.password !== '') throw hasCredential();
      if (url.search !== '' || url.hash !== '') {
        throw refused('the repository address has a query or a fragment, where tokens tend to hide');
      }
      return { kind: 'http', url: text };
    case 'ssh:':
      if (url.password !== '') throw hasCredential();
      if (url.hostname === '' || url.hostname.startsWith('-') || url.username.startsWith('-')) {
        throw refused('the host or user of the repository address is missing or starts with `-`');
      }
      return { kind: 'ssh', url: text };
    case 'file:':
      if (url.hostname !== '') throw refused('a file:// address has no host: write file:///path');
      return { kind: 'file', url: text };
    default:
      throw refused(`repositories are not fetched by ${url.protocol.slice(0, 20)}//`);
  }
}

function scpLike(text: string): SourceUrl {
  const match =
    /^(?:([A-Za-z0-9_][A-Za-z0-9_.-]*)@)?([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\]):([^-:][^:]*)$/.exec(
      text,
    );
  if (match === null) throw refused('the repository address is neither a URL nor an absolute path');
  return { kind: 'ssh', url: text };
}

function hasCredential(): FleetError {
  return new FleetError({
    code: 'CONFIG_INVALID',
    disposition: 'stalled',
    message: 'the repository address has a user name or a password in it',
    hint: 'take it out of the address and give the credential by file or environment (see `varve controller --help`)',
  });
}

function refused(message: string): FleetError {
  return new FleetError({
    code: 'CONFIG_INVALID',
    disposition: 'stalled',
    message,
    hint: 'write https://host/path, ssh://user@host/path, user@host:path, file:///path or /path',
  });
}

/**
 * The full name of the tracked branch: `main` and `refs/heads/main` are both `refs/heads/main`.
 * @throws FleetError CONFIG_INVALID for what is not a branch's name
 */
export function parseTrackedRef(text: string): string {
  const name = text.startsWith('refs/heads/') ? text.slice('refs/heads/'.length) : text;
  const bad =
    name === '' ||
    name === '@' ||
    name.length > 200 ||
    name.startsWith('refs/') ||
    name.startsWith('-') ||
    name.endsWith('.') ||
    /[\s\p{Cc}~^:?*[\\]|\.\.|@\{/u.test(name) ||
    name.split('/').some((part) => part === '' || part.startsWith('.') || part.endsWith('.lock'));
  if (bad) {
    throw new FleetError({
      code: 'CONFIG_INVALID',
      disposition: 'stalled',
      message: `${JSON.stringify(text.slice(0, 80))} is not the name of a branch`,
      hint: 'give the branch to follow, such as `main`; tags and options are not followed',
    });
  }
  return `refs/heads/${name}`;
}
