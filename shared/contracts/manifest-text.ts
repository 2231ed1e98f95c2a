import { LineCounter, isCollection, isMap, isNode, isScalar, parseDocument, visit } from 'yaml';
import type { Document } from 'yaml';
import type { z } from 'zod';
import type { Failure } from '../domain/errors.ts';
import { contradictions } from './manifest-contradictions.ts';
import { manifestJsonSchema, manifestSchema } from './manifest-schema.ts';
import type { WrittenManifest } from './manifest-schema.ts';
import { nearest } from './nearest.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

interface Problem {
  readonly offset: number;
  readonly message: string;
}

/** More than these are not worth reading at once. */
const shownProblems = 20;
/** To find the place of one takes a search: of a file that is wrong throughout, the first ones will do. */
const placedProblems = 40;

export type ReadManifest =
  | { readonly kind: 'written'; readonly manifest: WrittenManifest }
  | { readonly kind: 'invalid'; readonly failure: Failure };

/** Parses YAML and checks it against the schema; every error carries its place in the file. */
export function readManifestText(text: string, file: string): ReadManifest {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    // The parser compares each key with all before it: a minute for the largest files. We look ourselves.
    uniqueKeys: false,
  });
  const syntax = [...document.errors, ...document.warnings].map((error): Problem => ({
    offset: error.pos[0],
    message: plain(error.message),
  }));
  if (syntax.length > 0) return invalid(syntax, lines, file);

  let data: unknown;
  try {
    const refused = refusedNodes(document);
    if (refused.length > 0) return invalid(refused, lines, file);
    // The bound keeps a file of nested aliases from growing without end.
    data = document.toJS({ maxAliasCount: 100 });
  } catch (thrown) {
    const message = thrown instanceof Error ? plain(thrown.message) : 'cannot be read';
    return invalid([{ offset: 0, message }], lines, file);
  }
  const parsed = manifestSchema.safeParse(data ?? {});
  if (parsed.success) return withoutContradictions(parsed.data, document, lines, file);
  const { issues } = parsed.error;
  return invalid(
    issues.slice(0, placedProblems).flatMap((issue) => problemsOf(issue, document)),
    lines,
    file,
    Math.max(0, issues.length - placedProblems),
  );
}

function withoutContradictions(
  manifest: WrittenManifest,
  document: Document,
  lines: LineCounter,
  file: string,
): ReadManifest {
  const found = contradictions(manifest);
  if (found.length === 0) return { kind: 'written', manifest };
  const problems = found.slice(0, placedProblems).map(({ path, atKey, message }): Problem => ({
    offset:
      atKey === true
        ? keyOffset(document, path.slice(0, -1), String(path.at(-1)))
        : valueOffset(document, path),
    message: `${at(path)}${message}`,
  }));
  return invalid(problems, lines, file, found.length - problems.length);
}

/**
 * Keys that JavaScript keeps apart, which would pass the schema unseen, keys that are there twice, and aliases of what they
 * are in, which would have no end.
 */
function refusedNodes(document: Document): readonly Problem[] {
  const problems: Problem[] = [];
  visit(document, {
    Alias(_, { source, range }, path) {
      const isInside = path.some((node) => isCollection(node) && node.anchor === source);
      if (isInside)
        problems.push({ offset: range?.[0] ?? 0, message: `${quoted(source)} is an alias of what it is in` });
    },
    Map(_, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const offset = key.range?.[0] ?? 0;
        if (key.value === '__proto__') problems.push({ offset, message: 'unknown key "__proto__"' });
        if (seen.has(key.value)) {
          problems.push({ offset, message: `key ${quoted(String(key.value))} is there twice` });
        }
        seen.add(key.value);
      }
    },
  });
  return problems;
}

function invalid(problems: readonly Problem[], lines: LineCounter, file: string, unplaced = 0): ReadManifest {
  const sorted = [...problems].sort((a, b) => a.offset - b.offset);
  const shown = sorted.slice(0, shownProblems).map(({ offset, message }) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), col: Math.max(col, 1), message };
  });
  const more = sorted.length + unplaced - shown.length;
  const first = shown[0];
  return {
    kind: 'invalid',
    failure: {
      code: 'MANIFEST_INVALID',
      disposition: 'stalled',
      message: [
        ...shown.map(({ line, col, message }) => `${file}:${line}:${col}: ${message}`),
        ...(more > 0 ? [`and ${more} more`] : []),
      ].join('\n'),
      hint: `correct ${file} and commit it; \`varve validate\` checks it before`,
      details: {
        file,
        line: String(first?.line ?? 1),
        column: String(first?.col ?? 1),
        errors: String(sorted.length + unplaced),
      },
    },
  };
}

function problemsOf(issue: Issue, document: Document): readonly Problem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path);
    return issue.keys.slice(0, placedProblems).map((key) => {
      const meant = nearest(key, known);
      const hint =
        meant !== undefined
          ? `; did you mean \`${meant}\`?`
          : known.length > 0
            ? `; known here: ${known.join(', ')}`
            : '';
      return {
        offset: keyOffset(document, issue.path, key),
        message: `${at(issue.path)}unknown key ${quoted(key)}${hint}`,
      };
    });
  }
  if (issue.code === 'invalid_key') {
    const key = String(issue.path.at(-1) ?? '');
    const why = issue.issues.map((inner) => inner.message).join('; ');
    const offset = keyOffset(document, issue.path.slice(0, -1), key);
    return [{ offset, message: `${quoted(key)}: ${why}` }];
  }
  return [{ offset: valueOffset(document, issue.path), message: `${at(issue.path)}${sentence(issue)}` }];
}

function sentence(issue: Issue): string {
  const { message } = issue;
  return message.startsWith('Invalid') ? message.charAt(0).toLowerCase() + message.slice(1) : message;
}

function at(path: Path): string {
  return path.length === 0 ? '' : `${path.map((part) => plain(String(part))).join('.')}: `;
}

/** Where the value at a path begins; its nearest parent's place where it is absent. */
function valueOffset(document: Document, path: Path): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function keyOffset(document: Document, path: Path, key: string): number {
  const map: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
  if (isMap(map)) {
    for (const { key: node } of map.items) {
      if (isScalar(node) && String(node.value) === key && node.range) return node.range[0];
    }
  }
  return valueOffset(document, path);
}

/** The keys that the schema knows at a path, read from its JSON form. */
function knownKeys(path: Path): readonly string[] {
  let at: unknown = manifestJsonSchema();
  for (const part of path) {
    at = property(concrete(at), typeof part === 'number' ? 'items' : 'properties', String(part));
  }
  const properties = field(concrete(at), 'properties');
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
}

function property(schema: unknown, kind: 'items' | 'properties', name: string): unknown {
  if (kind === 'items') return field(schema, 'items');
  return field(field(schema, 'properties'), name) ?? field(schema, 'additionalProperties');
}

/** What may be null is written as a choice: the other side of it. */
function concrete(schema: unknown): unknown {
  const choices = field(schema, 'anyOf');
  return Array.isArray(choices) ? choices.find((choice) => field(choice, 'type') !== 'null') : schema;
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

/** Text from the file, safe to show: one line, bounded. */
function plain(text: string): string {
  return text
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 200);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
