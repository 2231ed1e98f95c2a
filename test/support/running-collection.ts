import type { LoopbackHost } from './loopback-host.ts';

/** A garbage collection that has read the roots, and has deleted nothing yet. */
export interface RunningCollection {
  /** Lets it delete what nothing has told it of meanwhile. Resolves when it has. */
  goOn(): Promise<void>;
}

/** Begins one on the host. Nix itself stops there, as in its own tests, until it has read a file to its end. */
export async function startCollection(host: LoopbackHost): Promise<RunningCollection> {
  await host.inside('mkfifo', '/run/held', '/run/reached', '/run/go');
  const collecting = host.inside('env', '_NIX_TEST_GC_SYNC=/run/held', 'nix-store', '--gc');
  // To open the one end of a pipe takes until the other one is opened.
  const holding = host.inside('sh', '-c', 'exec 9> /run/held; echo > /run/reached; cat /run/go');
  await host.inside('cat', '/run/reached');
  return {
    async goOn() {
      await host.inside('sh', '-c', 'echo > /run/go');
      await Promise.all([holding, collecting]);
    },
  };
}
