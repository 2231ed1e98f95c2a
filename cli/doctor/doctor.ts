import { access, constants } from 'node:fs/promises';
import { type CommandContext, print } from '../context.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import type { RunLocal } from '../local-program.ts';
import { counted } from '../words.ts';
import { controllerFindings } from './controller.ts';
import type { Finding } from './finding.ts';
import { type Patience, usualPatience } from './fresh-probe.ts';
import { type MachineDeps, machineFindings } from './machine.ts';

/** `varve doctor`: everything that Varve needs, here, at the controller, and at every host. */
export async function runDoctor(
  context: CommandContext,
  deps: { readonly run: RunLocal; readonly patience?: Patience },
): Promise<ExitCode> {
  const findings = [
    ...(await machineFindings(thisMachine(context, deps.run))),
    ...(await controllerFindings(context, deps.patience ?? usualPatience)),
  ];
  const bad = findings.filter((finding) => finding.grade === 'bad');
  const code = bad.length === 0 ? exitCodes.ok : exitCodes.failed;
  return print(context, { healthy: bad.length === 0, findings }, () => render(findings, context), code);
}

const modes = { exists: constants.F_OK, write: constants.W_OK, execute: constants.X_OK } as const;

function thisMachine({ env, api }: CommandContext, run: RunLocal): MachineDeps {
  return {
    run,
    env,
    platform: process.platform,
    nodeVersion: process.versions.node,
    can: (what, path) =>
      access(path, modes[what]).then(
        () => true,
        () => false,
      ),
    runsHere: ['localhost', '[::1]'].includes(new URL(api.url).hostname) || /^https?:\/\/127\./.test(api.url),
  };
}

function render(findings: readonly Finding[], { terminal }: CommandContext): readonly string[] {
  const { paint, signs } = terminal;
  const titles: Readonly<Record<Finding['area'], string>> = {
    machine: 'this machine',
    controller: 'controller',
    source: 'repository',
    host: 'hosts',
  };
  const lines: string[] = [];
  // An address as long as a line must not push everything away.
  const width = Math.min(32, Math.max(...findings.map((finding) => finding.what.length)));
  let area: Finding['area'] | undefined;
  for (const finding of findings) {
    if (finding.area !== area) {
      if (area !== undefined) lines.push('');
      lines.push(paint('bold', titles[finding.area]));
      area = finding.area;
    }
    const sign =
      finding.grade === 'good'
        ? paint('green', signs.good)
        : finding.grade === 'bad'
          ? paint('red', signs.bad)
          : paint('yellow', signs.waiting);
    lines.push(`  ${sign} ${finding.what.padEnd(width)}  ${finding.found}`);
    if (finding.advice !== undefined)
      lines.push(`    ${' '.repeat(width)}  ${paint('cyan', signs.arrow)} ${finding.advice}`);
  }
  const bad = findings.filter((finding) => finding.grade === 'bad').length;
  const notes = findings.filter((finding) => finding.grade === 'note').length;
  if (bad > 0) lines.push('', paint('red', `${counted(bad, 'thing', 'things')} to put right`));
  else if (notes > 0) lines.push('', paint('yellow', `nothing is broken, ${notes} to look at`));
  else lines.push('', paint('green', 'all is well'));
  return lines;
}
