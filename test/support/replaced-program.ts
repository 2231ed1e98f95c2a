import type { LoopbackHost } from './loopback-host.ts';

/** Puts a shell script before a program of the host, which is in `/usr/bin` still. */
export async function replaceProgram(host: LoopbackHost, name: string, script: string): Promise<void> {
  const put = [
    'mountpoint --quiet /usr/local/bin || mount -t tmpfs varve-test /usr/local/bin',
    'printf "#!/bin/sh\\n%s\\n" "$1" > "/usr/local/bin/$0"',
    'chmod 755 "/usr/local/bin/$0"',
  ];
  await host.inside('sh', '-c', put.join(' && '), name, script);
}
