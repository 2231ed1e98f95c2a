import { z } from 'zod';
import { FleetError } from '../../shared/domain/errors.ts';

/** What a delivery says, as far as it matters: whether to look. */
export type Notice =
  | { readonly kind: 'ping' }
  | {
      readonly kind: 'push';
      /** URLs under which the forge knows the repository; empty: it did not say. */
      readonly repositories: readonly string[];
      /** `undefined`: it did not say. */
      readonly ref: string | undefined;
    }
  | { readonly kind: 'other'; readonly event: string };

// Others' payloads are read loosely: the few fields that are used, and nothing else of them is trusted.
const url = z.string().max(2_000).nullish();
const GithubPush = z.object({
  ref: z.string().max(1_000),
  repository: z.object({ clone_url: url, ssh_url: url, git_url: url, html_url: url }),
});
const GenericNotice = z.object({
  ref: z.string().max(1_000).nullish(),
  repository: z.string().max(2_000).nullish(),
});

/** @throws FleetError INVALID_INPUT for a body that is not what the event promises */
export function readGithub(event: string, contentType: string | undefined, body: Uint8Array): Notice {
  const payload = parseJson(isForm(contentType) ? formPayload(body) : textOf(body));
  if (event === 'ping') return { kind: 'ping' };
  if (event !== 'push') return { kind: 'other', event: event.slice(0, 60) };
  const push = GithubPush.safeParse(payload);
  if (!push.success) throw malformed(firstProblem(push.error));
  const { clone_url, ssh_url, git_url, html_url } = push.data.repository;
  return {
    kind: 'push',
    repositories: [clone_url, ssh_url, git_url, html_url].filter((text) => typeof text === 'string'),
    ref: push.data.ref,
  };
}

/** @throws FleetError INVALID_INPUT */
export function readGeneric(body: Uint8Array): Notice {
  const notice = GenericNotice.safeParse(parseJson(textOf(body)));
  if (!notice.success) throw malformed(firstProblem(notice.error));
  const { ref, repository } = notice.data;
  return {
    kind: 'push',
    repositories: typeof repository === 'string' ? [repository] : [],
    ref: ref ?? undefined,
  };
}

/**
 * One spelling for the many of a repository's address: no scheme, user, default port or `.git`, the host in lower
 * case. Compared literally: nothing of a payload ever becomes a pattern.
 */
export function normalRepository(address: string): string {
  const scp = /^(?:[^@/\s]+@)?([^:/@\s]+):(?!\/\/)(.+)$/.exec(address);
  const plain =
    scp === null || /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `ssh://${scp[1]}/${scp[2]}`;
  let normal = plain;
  try {
    const parsed = new URL(plain);
    const port = ['', '22', '80', '443', '9418'].includes(parsed.port) ? '' : `:${parsed.port}`;
    normal = `${parsed.hostname.toLowerCase()}${port}${parsed.pathname}`;
  } catch {
    // A path on the disk, or nothing that is an address: taken as it is.
  }
  return normal
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .replace(/\/+$/, '');
}

/** `refs/heads/main` and `main` are the same branch. */
export function normalRef(ref: string): string {
  return ref.replace(/^refs\/heads\//, '');
}

function isForm(contentType: string | undefined): boolean {
  return (contentType ?? '').toLowerCase().startsWith('application/x-www-form-urlencoded');
}

function formPayload(body: Uint8Array): string {
  return new URLSearchParams(textOf(body)).get('payload') ?? '';
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (thrown) {
    throw malformed('not UTF-8', thrown);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw malformed('not JSON', thrown);
  }
}

function firstProblem(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue === undefined ? 'not as expected' : `${issue.path.join('.') || 'body'}: ${issue.message}`;
}

function malformed(what: string, cause?: unknown): FleetError {
  return new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: `the body of the webhook cannot be read: ${what}`,
    cause,
  });
}
