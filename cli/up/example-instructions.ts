import type { Terminal } from '../terminal.ts';
import type { ExampleReady } from './example-protocol.ts';

export interface InstructionDeps {
  /** The API of the Varve that runs. */
  readonly url: string;
  /** How the command is called on this machine. */
  readonly command: readonly string[];
  /** Which programs to show. */
  readonly hasCurl: boolean;
  readonly terminal: Pick<Terminal, 'paint'>;
}

/** How to change, look and take back: every command can be copied as it stands. */
export function exampleInstructions(ready: ExampleReady, deps: InstructionDeps): readonly string[] {
  const { paint } = deps.terminal;
  const [host] = ready.hosts;
  const name = host?.name ?? 'web1';
  const alias = deps.command.map(quoted).join(' ');
  const elsewhere = deps.url === 'http://127.0.0.1:7420' ? [] : [`export VARVE_URL=${deps.url}`];
  const page = `http://${host?.address ?? 'web1'}:8080/`;
  const look = deps.hasCurl
    ? `curl --noproxy '*' ${page}`
    : `node -e "fetch('${page}').then((page) => page.text()).then(console.log)"`;
  const block = (title: string, ...commands: string[]): string[] => [
    `  ${title}`,
    ...commands.map((command) => `    ${paint('cyan', command)}`),
  ];
  return [
    paint('bold', 'Try it in a second terminal:'),
    ...block(
      'change one host',
      `cd ${quoted(ready.workingCopy)}`,
      `sed -i 's/hello from ${name}/hello, world/' hosts/${name}.nix`,
      `git commit -am 'Greet the world' && git push`,
    ),
    ...block(
      'look',
      look,
      `alias varve=${quoted(alias)}`,
      ...elsewhere,
      `varve status; varve history ${name}; varve why ${name}`,
      `ssh -F ${quoted(ready.sshConfig)} ${name}`,
    ),
    ...block('take it back: no evaluation, no build, no copy', 'git revert --no-edit HEAD && git push'),
    ...block(
      'break it: the page moves away from where its health check looks, and the host rolls itself back',
      `sed -i 's/greeter = "1.0"/greeter = "1.0"; port = 9090/' hosts/web2.nix`,
      `git commit -am 'Move the page' && git push`,
    ),
  ];
}

/** One word of a shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
