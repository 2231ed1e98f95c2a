import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { GitProgram } from '../../shared/platform/git-program.ts';
import type { Logger } from '../../shared/platform/logger.ts';
import { createGitProgramRemote } from './git-program-remote.ts';
import type { RemoteTimes } from './git-program-remote.ts';
import { createFallingBack } from './falling-back.ts';
import { createIsomorphicRemote, isTooLarge } from './isomorphic-remote.ts';
import { createMirror } from './mirror.ts';
import { createMirrorSource } from './mirror-source.ts';
import type { OpenSource } from './mirror-source.ts';
import type { CredentialProvider, Remote } from './remote.ts';
import { createReverter } from './revert.ts';
import type { Reverter } from './revert.ts';
import { parseSourceUrl, parseTrackedRef } from './source-url.ts';
import type { SshAccess } from './ssh-environment.ts';

export interface SourceSettings {
  readonly url: string;
  /** The branch to follow. */
  readonly ref: string;
  /**
   * `auto`: isomorphic-git for http(s) until the repository is too large for it, the Git program for the rest.
   * `isomorphic` and `git`: that one always.
   */
  readonly adapter: 'auto' | 'isomorphic' | 'git';
  /** Where mirrors are kept. */
  readonly dataFolder: string;
  readonly times?: RemoteTimes;
  readonly ssh?: SshAccess;
  readonly maxResponseBytes?: number;
}

const usualTimes: RemoteTimes = { listMs: 30_000, fetchMs: 600_000 };

/**
 * The source for a repository's address, and what reverts commits in it; both on one mirror.
 * @throws FleetError CONFIG_INVALID for an address, branch or combination that cannot work
 */
export function createSource(
  settings: SourceSettings,
  deps: { readonly git: GitProgram; readonly logger: Logger; readonly credential: CredentialProvider },
): { readonly source: OpenSource; readonly reverter: Reverter } {
  const url = parseSourceUrl(settings.url);
  const ref = parseTrackedRef(settings.ref);
  // Another repository or branch gets another mirror: nothing of the former one is taken for the latter's.
  const key = createHash('sha256').update(`${url.url}\n${ref}`).digest('hex').slice(0, 16);
  const mirror = createMirror({ git: deps.git, gitDir: join(settings.dataFolder, 'mirrors', `${key}.git`) });
  const access = {
    url,
    credential: deps.credential,
    ssh: settings.ssh ?? {},
    times: settings.times ?? usualTimes,
    mirror,
    ref,
    ...(settings.maxResponseBytes === undefined ? {} : { maxResponseBytes: settings.maxResponseBytes }),
  };
  const program = createGitProgramRemote(access);
  return {
    source: createMirrorSource({ mirror, remote: remote(), logger: deps.logger, url: url.url }),
    reverter: createReverter({ ...access, remote: program }),
  };

  function remote(): Remote {
    if (url.kind !== 'http' || settings.adapter === 'git') return program;
    const builtIn = createIsomorphicRemote(access);
    if (settings.adapter === 'isomorphic') return builtIn;
    return createFallingBack({
      first: builtIn,
      second: program,
      isLimit: isTooLarge,
      onFallBack: (err) => deps.logger.warn({ err, url: url.url }, 'falling back to the git program'),
    });
  }
}
