import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const top = fileURLToPath(new URL('../../../', import.meta.url));

export interface DocumentFile {
  /** From the top of the repository. */
  readonly path: string;
  readonly text: string;
}

const folders = ['.', 'docs', 'docs/adr', 'examples/fleet'];

/** Every Markdown file that people read. */
export const documents: readonly DocumentFile[] = folders.flatMap((folder) =>
  readdirSync(join(top, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => readDocument(folder === '.' ? name : `${folder}/${name}`)),
);

export function readDocument(path: string): DocumentFile {
  return { path, text: readFileSync(join(top, path), 'utf8') };
}

export function isThere(path: string): boolean {
  return existsSync(join(top, path));
}

/** The text between a heading and the next one of the same level. */
export function section(document: DocumentFile, heading: string): string {
  const level = /^#+/.exec(heading)?.[0] ?? '##';
  const from = document.text.indexOf(`\n${heading}\n`);
  if (from < 0) throw new Error(`${document.path} has no ${heading}`);
  const rest = document.text.slice(from + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${level.length}} `, 'm'));
  return end < 0 ? rest : rest.slice(0, end);
}

/** The rows of all tables in a text, without their heads; cells trimmed, `\|` undone. */
export function tableRows(text: string): readonly (readonly string[])[] {
  const lines = text.split('\n');
  return lines.flatMap((line, i) => {
    const isHead = /^\|[ |:-]+\|$/.test(lines[i + 1] ?? '');
    if (!line.startsWith('|') || isHead || /^\|[ |:-]+\|$/.test(line)) return [];
    const cells = line.slice(1, -1).split(/(?<!\\)\|/);
    return [cells.map((cell) => cell.replaceAll('\\|', '|').trim())];
  });
}

export interface Example extends DocumentFile {
  readonly language: string;
}

/** Fenced blocks, with the file that they are in. */
export function examples(document: DocumentFile): readonly Example[] {
  return [...document.text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((found) => ({
    path: document.path,
    language: found[1] ?? '',
    text: found[2] ?? '',
  }));
}
