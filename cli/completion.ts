import type { Command, Option } from 'commander';
import { Status } from '../shared/contracts/api.ts';
import { FleetError } from '../shared/domain/errors.ts';
import { type ProgramDeps, globals } from './define/common.ts';
import { counted } from './words.ts';

/** The shells ask `varve complete -- <words>`: one candidate a line, with a tab and what it means. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_varve() {
  local IFS=$'\\n'
  COMPREPLY=($(varve complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -F _varve varve
`,
  zsh: `#compdef varve
_varve() {
  local -a found
  local line word
  while IFS= read -r line; do
    word=\${line%%$'\\t'*}
    found+=("\${word//:/\\\\:}:\${line#*$'\\t'}")
  done < <(varve complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe varve found
}
compdef _varve varve
`,
  fish: `complete -c varve -f -a '(varve complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
};

/** @throws FleetError INVALID_INPUT */
export function completionScript(shell: string): string {
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
  if (script !== undefined) return script;
  throw new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: `there is no completion for ${JSON.stringify(shell.slice(0, 20))}`,
    hint: `take one of: ${Object.keys(scripts).join(', ')}`,
  });
}

/** What may stand where the last word is. Never fails: no answer is better than an error in a prompt. */
export async function complete(
  program: Command,
  words: readonly string[],
  deps: Pick<ProgramDeps, 'context'>,
): Promise<readonly string[]> {
  const last = words.at(-1) ?? '';
  let command = program;
  let position = 0;
  /** The option whose value comes next. */
  let open: Option | undefined;
  for (const word of words.slice(0, -1)) {
    const inner = command.commands.find((each) => each.name() === word);
    if (open !== undefined) open = undefined;
    else if (word.startsWith('-')) open = takingValue(word, command);
    else if (inner === undefined) position += 1;
    else {
      command = inner;
      position = 0;
    }
  }
  if (open !== undefined) return (open.argChoices ?? []).filter((choice) => choice.startsWith(last));
  const found = last.startsWith('-')
    ? optionsOf(command)
    : [
        ...commandsOf(command),
        ...(await valuesOf(program, command.registeredArguments[position]?.name(), deps)),
      ];
  return found.filter((line) => line.startsWith(last));
}

/** The option of that name, of the command or of one above it, if the next word is its value. */
function takingValue(word: string, command: Command): Option | undefined {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const option = at.options.find(({ short, long }) => word === short || word === long);
    if (option !== undefined) return option.required ? option : undefined;
  }
  return undefined;
}

function optionsOf(command: Command): readonly string[] {
  const own = command.options.flatMap(({ long, description }) => (long ? [`${long}\t${description}`] : []));
  return [...own, '--help\thelp for this command'];
}

function commandsOf(command: Command): readonly string[] {
  if (command.commands.length === 0) return [];
  return command
    .createHelp()
    .visibleCommands(command)
    .map((each) => `${each.name()}\t${each.description()}`);
}

async function valuesOf(
  program: Command,
  argument: string | undefined,
  deps: Pick<ProgramDeps, 'context'>,
): Promise<readonly string[]> {
  if (argument === 'shell') return Object.keys(scripts).map((shell) => `${shell}\t`);
  const wanted = argument ?? '';
  if (!/host|deployment|wave/.test(wanted)) return [];
  try {
    const { api } = await deps.context(globals(program));
    const status = await api.get('/status', Status);
    if (wanted.startsWith('wave')) return gateNames(status);
    if (wanted.includes('group')) return [...hostNames(status), ...groupNames(status), 'fleet\tall of it'];
    if (wanted.startsWith('host')) return hostNames(status);
    return status.hosts.flatMap(({ host, deployment }) =>
      deployment === undefined ? [] : [`${deployment.id}\t${host}, ${deployment.phase}`],
    );
  } catch {
    return [];
  }
}

function hostNames({ hosts }: Status): readonly string[] {
  return hosts.map((host) => `${host.host}\t${host.sync}, ${host.health}`);
}

function groupNames({ hosts }: Status): readonly string[] {
  const sizes = new Map<string, number>();
  for (const group of hosts.flatMap(({ groups }) => groups)) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  return [...sizes].map(([group, size]) => `${group}\tgroup of ${counted(size, 'host')}`);
}

function gateNames({ gates }: Status): readonly string[] {
  return gates
    .filter(({ approved }) => approved === undefined)
    .map(({ kind, name, waiting }) => `${name}\t${kind}, ${counted(waiting, 'host waits', 'hosts wait')}`);
}
