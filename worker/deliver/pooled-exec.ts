import { asRoot } from '../ssh/remote-shell.ts';
import type { Ssh } from '../ssh/ssh.ts';
import type { HostExec } from '../push/push.ts';

/** As many missing paths as a whole system of packages may have. */
const maxOutputBytes = 16 * 1024 * 1024;

/** Runs the scripts of a push on the connection that the worker keeps to the host anyway. */
export function createPooledExec(deps: { readonly ssh: Ssh }): HostExec {
  return async (connection, script, input, options) => {
    const { signal, deadlineMs } = options;
    const session = await deps.ssh.pooled(connection, { signal });
    try {
      return await session.exec(options.asRoot ? asRoot(script) : asUser(script), {
        stdin: input,
        deadlineMs,
        signal,
        maxOutputBytes,
      });
    } finally {
      session.close();
    }
  };
}

/** Whatever the user's login shell is, a POSIX shell runs the script. */
function asUser(script: string): string {
  if (script.includes("'")) throw new RangeError('a remote program cannot hold single quotes');
  return `exec /bin/sh -c '${script}'`;
}
