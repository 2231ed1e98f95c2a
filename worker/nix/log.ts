/** One line of what Nix says with `--log-format internal-json`. Numbers that are not known here are left out. */
export type NixEvent =
  | NixMessage
  | { readonly kind: 'build-started'; readonly id: number; readonly drvPath: string }
  | { readonly kind: 'build-line'; readonly id: number; readonly line: string }
  | { readonly kind: 'build-phase'; readonly id: number; readonly phase: string }
  | { readonly kind: 'copy-started'; readonly id: number; readonly path: string }
  | { readonly kind: 'substitution-started'; readonly id: number; readonly path: string }
  | { readonly kind: 'stopped'; readonly id: number };

/** Something said to people: an error, a warning, a trace, a notice. */
export interface NixMessage {
  readonly kind: 'message';
  /** 0 error, 1 warning, 2 notice, 3 info. Traces of expressions come with level 0 too. */
  readonly level: number;
  /** Without colours. */
  readonly text: string;
  /** The error's own words, without its trace; `undefined` for what is no error. */
  readonly summary: string | undefined;
  readonly at: Position | undefined;
  /** From the innermost frame outwards. */
  readonly trace: readonly { readonly text: string; readonly at: Position | undefined }[];
}

export interface Position {
  readonly file: string;
  readonly line: number;
}

const prefix = '@nix ';
/** The pieces in which a very long line comes (a long trace) are put together again up to this. */
const longestEvent = 8 * 1024 * 1024;
/** A line shorter than this was not cut. */
const shortestPiece = 32 * 1024;

const activity = { copyPath: 100, build: 105, substitute: 108 } as const;
const result = { buildLogLine: 101, setPhase: 104 } as const;

// oxlint-disable-next-line no-control-regex -- an escape sequence begins with a control character
const escapes = /\u001B(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)|[@-Z\\-_])/g;
// oxlint-disable-next-line no-control-regex -- all but tab and line feed
const controls = /[\u0000-\u0008\u000B-\u001F\u007F]/g;

/** The text without colours, cursor movements and other control characters (tabs and line feeds stay). */
export function plainText(text: string): string {
  return text.replace(escapes, '').replace(controls, '');
}

/**
 * Reads the lines of Nix's standard error, in order. A line that is no event (a warning of a program that Nix
 * started) becomes a message of level 2.
 */
export function createNixLogReader(onEvent: (event: NixEvent) => void): (line: string) => void {
  let held = '';
  return (line) => {
    const text = held + line;
    if (!text.startsWith(prefix)) {
      const plain = plainText(text).trim();
      if (plain !== '') onEvent(message(2, plain));
      return;
    }
    const value = parseJson(text.slice(prefix.length));
    if (value === undefined) {
      const mayGoOn = line.length >= shortestPiece || held !== '';
      held = mayGoOn && text.length < longestEvent ? text : '';
      return;
    }
    held = '';
    const event = eventOf(value);
    if (event !== undefined) onEvent(event);
  };
}

function message(level: number, text: string): NixMessage {
  return { kind: 'message', level, text, summary: undefined, at: undefined, trace: [] };
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    return recordOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function eventOf(value: Record<string, unknown>): NixEvent | undefined {
  switch (value['action']) {
    case 'msg':
      return messageOf(value);
    case 'start':
      return startOf(value);
    case 'result':
      return resultOf(value);
    case 'stop': {
      const id = numberOf(value['id']);
      return id === undefined ? undefined : { kind: 'stopped', id };
    }
    default:
      return undefined;
  }
}

function messageOf(value: Record<string, unknown>): NixMessage {
  const raw = textOf(value['raw_msg']);
  const frames = Array.isArray(value['trace']) ? value['trace'] : [];
  return {
    kind: 'message',
    level: numberOf(value['level']) ?? 2,
    text: plainText(textOf(value['msg']) ?? ''),
    summary: raw === undefined ? undefined : plainText(raw),
    at: positionOf(value),
    trace: frames.map((frame: unknown) => {
      const fields = recordOf(frame) ?? {};
      return { text: plainText(textOf(fields['raw_msg']) ?? ''), at: positionOf(fields) };
    }),
  };
}

function startOf(value: Record<string, unknown>): NixEvent | undefined {
  const id = numberOf(value['id']);
  const subject = textOf(fieldsOf(value)[0]);
  if (id === undefined || subject === undefined) return undefined;
  switch (value['type']) {
    case activity.build:
      return { kind: 'build-started', id, drvPath: subject };
    case activity.copyPath:
      return { kind: 'copy-started', id, path: subject };
    case activity.substitute:
      return { kind: 'substitution-started', id, path: subject };
    default:
      return undefined;
  }
}

function resultOf(value: Record<string, unknown>): NixEvent | undefined {
  const id = numberOf(value['id']);
  const text = textOf(fieldsOf(value)[0]);
  if (id === undefined || text === undefined) return undefined;
  switch (value['type']) {
    case result.buildLogLine:
      return { kind: 'build-line', id, line: plainText(text) };
    case result.setPhase:
      return { kind: 'build-phase', id, phase: plainText(text) };
    default:
      return undefined;
  }
}

function positionOf(value: Record<string, unknown>): Position | undefined {
  const file = textOf(value['file']);
  const line = numberOf(value['line']);
  return file === undefined || line === undefined ? undefined : { file, line };
}

function fieldsOf(value: Record<string, unknown>): readonly unknown[] {
  return Array.isArray(value['fields']) ? value['fields'] : [];
}

function recordOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
