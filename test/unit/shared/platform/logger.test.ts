import { describe, expect, it } from 'vitest';

import { FleetError } from '../../../../shared/domain/errors.ts';
import { createLogger } from '../../../../shared/platform/logger.ts';
import { createRedactor } from '../../../../shared/platform/redact.ts';

function aLogger(level: 'debug' | 'info' = 'debug') {
  const lines: string[] = [];
  const logger = createLogger({
    level,
    redact: createRedactor(['hunter22']),
    write: (line) => lines.push(line),
    base: { program: 'worker' },
  });
  return { logger, lines, last: (): unknown => JSON.parse(lines.at(-1) ?? '{}') };
}

describe('the log', () => {
  it('writes one JSON object a line, with the fields of its parents', () => {
    const { logger, lines, last } = aLogger();
    logger.child({ host: 'web1' }).info({ phase: 'delivering' }, 'phase changed');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith('\n')).toBe(true);
    expect(last()).toMatchObject({
      level: 'info',
      program: 'worker',
      host: 'web1',
      phase: 'delivering',
      msg: 'phase changed',
    });
  });

  it('leaves out what is below its level', () => {
    const { logger, lines } = aLogger('info');
    logger.debug({}, 'small');
    expect(lines).toEqual([]);
  });

  it('keeps secrets out of fields, messages, stacks and causes', () => {
    const { logger, lines } = aLogger();
    const err = new FleetError({
      code: 'INTERNAL',
      disposition: 'transient',
      message: 'cannot use hunter22',
      cause: new Error('hunter22 refused', { cause: 'hunter22' }),
    });
    logger
      .child({ url: 'https://me:hunter22@host/' })
      .error({ err, nested: { token: 'hunter22' } }, 'hunter22');
    expect(lines.join('')).not.toContain('hunter22');
  });

  it('shows the code, the hint and the causes of an error, under any key', () => {
    const { logger, last } = aLogger();
    const failure = new FleetError({
      code: 'DISK_FULL',
      disposition: 'stalled',
      message: 'no space',
      hint: 'make some',
      cause: new Error('ENOSPC'),
    });
    logger.warn({ failure }, 'push failed');
    expect(last()).toMatchObject({
      failure: {
        code: 'DISK_FULL',
        hint: 'make some',
        stack: expect.stringContaining('logger.test'),
        cause: { message: 'ENOSPC' },
      },
    });
  });
});
