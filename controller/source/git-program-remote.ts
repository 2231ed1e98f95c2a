import { FleetError } from '../../shared/domain/errors.ts';
import { testingBranchOf } from '../../shared/domain/testing.ts';
import type { RunResult } from '../../shared/platform/exec.ts';
import type { Redactor } from '../../shared/platform/redact.ts';
import { createRedactor } from '../../shared/platform/redact.ts';
import { listedHeads } from './listed-heads.ts';
import type { Mirror } from './mirror.ts';
import { accessWith } from '../git-access.ts';
import { seenRef, testingRef } from './mirror.ts';
import type { CredentialProvider, FetchDepth, Remote } from './remote.ts';
import { authFailed, refNotFound, revisionMismatch, unreachable } from './source-failures.ts';
import type { SourceUrl } from './source-url.ts';
import { sshEnvironment } from './ssh-environment.ts';
import type { SshAccess } from './ssh-environment.ts';
import { trustFolder } from './trusted-folder.ts';

export interface RemoteTimes {
  readonly listMs: number;
  readonly fetchMs: number;
}

export interface GitProgramAccess {
  readonly url: SourceUrl;
  readonly credential: CredentialProvider;
  readonly ssh: SshAccess;
  readonly times: RemoteTimes;
}

/** A command of the Git program that talks to the remote, with its credential. */
export interface RemoteCall {
  /** `args` for both sides of the address. @throws FleetError SOURCE_*, never with a credential in it */
  call(
    before: readonly string[],
    after: readonly string[],
    limits: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<RunResult>;
  /** The error that a failed call stands for. */
  failure(result: RunResult): Promise<FleetError>;
}

export function createRemoteCall(deps: GitProgramAccess & { readonly mirror: Mirror }): RemoteCall {
  const { url } = deps.url;
  const allowed = { http: ['http', 'https'], ssh: ['ssh'], file: ['file'] }[deps.url.kind];

  let trusted: Record<string, string> | undefined;

  async function access(): Promise<{
    readonly settings: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly redact: Redactor;
  }> {
    const settings = [
      'protocol.allow=never',
      ...allowed.map((protocol) => `protocol.${protocol}.allow=always`),
      'protocol.version=2',
      // A repository that has moved is for a person to say: a credential does not follow a redirect.
      'http.followRedirects=false',
      'http.lowSpeedLimit=1',
      'http.lowSpeedTime=60',
    ];
    if (deps.url.kind === 'ssh') {
      return { settings, env: sshEnvironment(deps.ssh), redact: createRedactor([]) };
    }
    if (deps.url.kind === 'file') {
      trusted ??= await trustFolder(deps.mirror.git, url, `${deps.mirror.gitDir}.gitconfig`);
      return { settings, env: trusted, redact: createRedactor([]) };
    }
    const credential = await deps.credential();
    if (credential === undefined) return { settings, env: {}, redact: createRedactor([]) };
    const { settings: own, env } = accessWith(url, credential);
    return { settings: [...settings, ...own], env, redact: createRedactor([credential.password]) };
  }

  return {
    async call(before, after, { deadlineMs, signal }) {
      const { settings, env } = await access();
      try {
        return await deps.mirror.run(
          [...settings.flatMap((setting) => ['-c', setting]), ...before, '--end-of-options', url, ...after],
          { deadlineMs, env, ...(signal === undefined ? {} : { signal }) },
        );
      } catch (thrown) {
        if (thrown instanceof FleetError && thrown.code === 'TIMED_OUT') {
          throw unreachable(url, `no answer within ${deadlineMs / 1_000} s`, thrown);
        }
        throw thrown;
      }
    },
    async failure(result) {
      const { redact } = await access();
      return programFailure(url, redact(result.stderrTail));
    },
  };
}

/** Follows the tracked ref with the Git program: any transport that it knows. */
export function createGitProgramRemote(
  deps: GitProgramAccess & { readonly mirror: Mirror; readonly ref: string },
): Remote {
  const remote = createRemoteCall(deps);
  const { url } = deps.url;

  async function shallow(): Promise<boolean> {
    return (await deps.mirror.ok(['rev-parse', '--is-shallow-repository'])) === 'true';
  }

  async function depthArguments(depth: FetchDepth): Promise<readonly string[]> {
    switch (depth.kind) {
      case 'new':
        return [];
      case 'commits':
        return (await shallow()) ? [`--depth=${depth.count}`] : [];
      case 'everything':
        return (await shallow()) ? ['--unshallow'] : [];
    }
  }

  async function fetch(
    more: readonly string[],
    refs: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<RunResult> {
    return await remote.call(
      [
        'fetch',
        '--quiet',
        '--force',
        '--no-tags',
        '--no-write-fetch-head',
        '--no-recurse-submodules',
        '--no-auto-maintenance',
        ...more,
      ],
      refs,
      { deadlineMs: deps.times.fetchMs, signal },
    );
  }

  return {
    async heads(signal) {
      const limits = { deadlineMs: deps.times.listMs, signal };
      const patterns = [deps.ref, 'refs/heads/testing/*'];
      const listed = await remote.call(['ls-remote', '--heads'], patterns, limits);
      if (listed.code !== 0) throw await remote.failure(listed);
      const heads = listedHeads(refsIn(listed.stdout.toString('utf8')), deps.ref);
      if (heads === undefined) throw refNotFound(url, deps.ref);
      return heads;
    },

    async fetch(depth, signal) {
      const fetched = await fetch(await depthArguments(depth), [`+${deps.ref}:${seenRef}`], signal);
      if (fetched.code === 0) return;
      if (/couldn't find remote ref/i.test(fetched.stderrTail)) throw refNotFound(url, deps.ref);
      const notOurs = /not our ref ([0-9a-f]{40})/.exec(fetched.stderrTail)?.[1];
      if (notOurs !== undefined) throw revisionMismatch(url, notOurs);
      throw await remote.failure(fetched);
    },

    async fetchTesting(hosts, signal) {
      const refs = hosts.map((host) => `+refs/heads/${testingBranchOf(host)}:${testingRef(host)}`);
      const fetched = await fetch([], refs, signal);
      if (fetched.code !== 0) throw await remote.failure(fetched);
    },

    async close() {},
  };
}

function refsIn(listing: string): readonly (readonly [name: string, revision: string])[] {
  return listing.split('\n').flatMap((line) => {
    const [revision, name] = line.split('\t');
    return name === undefined || revision === undefined ? [] : [[name, revision] as const];
  });
}

const refusals =
  /authentication failed|could not read (username|password)|returned error: 40[13]|permission denied|host key verification failed|dubious ownership|access denied/i;

function programFailure(url: string, stderr: string): FleetError {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const telling =
    lines.find((line) => /^(fatal|error|remote):|denied|failed/i.test(line)) ?? lines.at(-1) ?? 'git failed';
  const why = telling
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 300);
  return refusals.test(stderr) ? authFailed(url, why) : unreachable(url, why);
}
