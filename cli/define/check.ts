import type { Command } from 'commander';
import { type ProgramDeps, examples, globals, outputOption, port, talking, timeOf } from './common.ts';

/** Commands that find out what is wrong. */
export function defineCheckCommands(program: Command, deps: ProgramDeps): void {
  program.commandsGroup('Check:');
  talking(
    deps,
    program
      .command('doctor')
      .description('every prerequisite and every host, and what to do about it')
      .addHelpText('after', examples('varve doctor')),
    async (context) => {
      const { createRunLocal } = await import('../up/run-local.ts');
      return (await import('../doctor/doctor.ts')).runDoctor(context, { run: createRunLocal(deps.signal) });
    },
  );
  const validate = program
    .command('validate')
    .description('is the varve.yaml of a config repository right? asks nobody')
    .argument('[path]', 'its folder, or the file', '.')
    .addOption(outputOption())
    .addHelpText('after', examples('varve validate', 'varve validate ../fleet'));
  validate.action(async (path: string) => {
    const { runValidate } = await import('../commands/validate.ts');
    deps.ended(await runValidate({ terminal: deps.terminal, output: globals(validate).output }, path));
  });
  const host = program.command('host').description('about single hosts');
  const scanKey = host
    .command('scan-key')
    .description('the host keys of a host, as lines for varve.yaml; asks the host from here')
    .argument('<host|address>', 'a host of the fleet, or a name or IP address')
    .option('-p, --port <port>', 'of its sshd (default: what the fleet says, or 22)', port)
    .option('--timeout <time>', 'how long to wait for it', '5s')
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'varve host scan-key web1',
        'varve host scan-key web1.example',
        'varve host scan-key 10.0.0.7 --port 2222',
      ),
    );
  scanKey.action(async (text: string) => {
    const { placeOf } = await import('../commands/host-place.ts');
    const { runScanKey } = await import('../commands/scan-key.ts');
    const { createRunLocal } = await import('../up/run-local.ts');
    const options = scanKey.opts<{ port?: number; timeout: string }>();
    deps.ended(
      await runScanKey(
        { run: createRunLocal(deps.signal), terminal: deps.terminal, output: globals(scanKey).output },
        await placeOf(text, await deps.context(globals(scanKey))),
        { port: options.port, timeoutMs: timeOf(options.timeout) },
      ),
    );
  });
}
