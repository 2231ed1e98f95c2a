import { createWriteStream, type WriteStream } from 'node:fs';

/** Keeps the log of a program in a file, and says which lines a person should see. */
export interface ServiceLog {
  add(line: string): void;
  close(): Promise<void>;
}

export function createServiceLog(deps: {
  readonly file: string;
  readonly name: string;
  /** A warning, an error, or a line that is no JSON: something outside the log's own rules. */
  readonly onNotable: (text: string, grade: 'warn' | 'error' | 'plain') => void;
}): ServiceLog {
  const stream: WriteStream = createWriteStream(deps.file, { flags: 'a', mode: 0o600 });
  // A full disk must not end what is supervised.
  stream.on('error', () => {});
  return {
    add(line) {
      stream.write(`${line}\n`);
      const notable = notableOf(line);
      if (notable !== undefined) deps.onNotable(`${deps.name}: ${notable.text}`, notable.grade);
    },
    close: () => new Promise((resolve) => stream.end(() => resolve())),
  };
}

function notableOf(
  line: string,
): { readonly text: string; readonly grade: 'warn' | 'error' | 'plain' } | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return line.trim() === '' ? undefined : { text: line, grade: 'plain' };
  }
  if (typeof entry !== 'object' || entry === null) return { text: line, grade: 'plain' };
  const fields = new Map<string, unknown>(Object.entries(entry));
  const level = fields.get('level');
  if (level !== 'warn' && level !== 'error') return undefined;
  const about = ['host', 'deployment', 'revision', 'reason'].flatMap((key) => {
    const value = fields.get(key);
    return typeof value === 'string' ? [`${key}=${value}`] : [];
  });
  return {
    text: [textOf(fields.get('msg')), ...about, errorText(fields.get('err'))]
      .filter((part) => part !== '')
      .join(' '),
    grade: level,
  };
}

function errorText(err: unknown): string {
  if (typeof err !== 'object' || err === null) return '';
  const fields = new Map<string, unknown>(Object.entries(err));
  const code = fields.get('code');
  const message = fields.get('message');
  return [code, message].filter((part) => typeof part === 'string').join(' ');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
