import { LineCounter, isMap, isNode, isScalar, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { z } from 'zod';
import { FleetError } from '../domain/errors.ts';
import { nearest } from './nearest.ts';
import { environmentVariables, overlayEnvironment } from './service-config-environment.ts';
import { WrittenServiceConfig } from './service-config-schema.ts';

/** Where the configuration comes from. */
export interface ServiceConfigInput {
  /** The file's text; `undefined`: there is none, the environment says all. */
  readonly text: string | undefined;
  /** For messages. */
  readonly path: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads a file that the configuration names; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
}

/** A complaint about one place of the file. */
export type Complain = (path: readonly PropertyKey[], message: string) => void;

export interface ReadServiceConfig {
  readonly written: WrittenServiceConfig;
  /** Is it said by file or environment, or only a default? */
  says(key: keyof WrittenServiceConfig): boolean;
  readonly warnings: string[];
  /** Collects what is wrong beyond the shape. */
  readonly complain: Complain;
  /** @throws FleetError CONFIG_INVALID with all that was complained about */
  settle(): void;
}

/**
 * Reads file and environment into the written configuration.
 * @throws FleetError CONFIG_INVALID naming every error as `file:line:column: …` or `VARVE_…: …`
 */
export function readServiceConfig(input: ServiceConfigInput): ReadServiceConfig {
  const lines = new LineCounter();
  const document = parseDocument(input.text ?? '', {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
  });
  const problems: string[] = [];

  function place(offset: number): string {
    const { line, col } = lines.linePos(offset);
    return `${input.path}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  }
  for (const error of document.errors) problems.push(`${place(error.pos[0])}: ${oneLine(error.message)}`);
  if (problems.length > 0) throw invalid(problems);

  const data: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};
  const file = z.record(z.string(), z.unknown()).safeParse(data);
  if (!file.success) throw invalid([`${place(0)}: the configuration is a mapping of keys to values`]);
  const overlay = overlayEnvironment(file.data, input.env);

  const complain: Complain = (path, message) => {
    problems.push(`${whereIs(path)}: ${oneLine(message)}`);
  };
  function whereIs(path: readonly PropertyKey[]): string {
    const dotted = path.map(String).join('.');
    for (const [from, name] of overlay.from) {
      if (dotted === from || dotted.startsWith(`${from}.`)) return name;
    }
    const where = input.text === undefined ? input.path : place(offsetOf(document, path));
    return dotted === '' ? where : `${where}: ${dotted}`;
  }

  const parsed = WrittenServiceConfig.safeParse(overlay.data);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys) {
          const meant = nearest(key, knownKeys(issue.path));
          complain(
            [...issue.path, key],
            `unknown key${meant === undefined ? '' : `; did you mean \`${meant}\`?`}`,
          );
        }
      } else {
        complain(issue.path, issue.message);
      }
    }
    throw invalid(problems);
  }
  const warnings = overlay.unknown.map((name) => {
    const meant = nearest(name, Object.keys(environmentVariables));
    return `${name} in the environment means nothing${meant === undefined ? '' : `; did you mean ${meant}?`}`;
  });
  return {
    written: parsed.data,
    says: (key) => overlay.data[key] !== undefined && overlay.data[key] !== null,
    warnings,
    complain,
    settle() {
      if (problems.length > 0) throw invalid(problems);
    },
  };
}

function invalid(problems: readonly string[]): FleetError {
  return new FleetError({
    code: 'CONFIG_INVALID',
    disposition: 'stalled',
    message: problems.join('\n'),
    hint: 'see docs/configuration.md for every key and variable',
  });
}

/** The place of a key or value; of its nearest parent where it is absent. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  const keys = path.map((part) => (typeof part === 'number' ? part : String(part)));
  const last = keys.at(-1);
  const parent: unknown = keys.length <= 1 ? document.contents : document.getIn(keys.slice(0, -1), true);
  if (isMap(parent)) {
    for (const { key } of parent.items)
      if (isScalar(key) && key.value === last && key.range) return key.range[0];
  }
  for (let length = keys.length; length >= 0; length -= 1) {
    const node: unknown = length === 0 ? document.contents : document.getIn(keys.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

/** The keys of the schema at a path, from its JSON form. */
function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  let at: unknown = z.toJSONSchema(WrittenServiceConfig, { io: 'input', unrepresentable: 'any' });
  for (const part of path) {
    at =
      typeof part === 'number'
        ? field(at, 'items')
        : (field(field(at, 'properties'), String(part)) ?? field(at, 'additionalProperties'));
  }
  const properties = field(at, 'properties');
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

function oneLine(text: string): string {
  return text
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 300);
}
