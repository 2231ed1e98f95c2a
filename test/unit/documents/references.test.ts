import { readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { version } from '../../../shared/platform/version.ts';
import { documents, isThere, readDocument, top } from './read-documents.ts';

const manifest: unknown = JSON.parse(readDocument('package.json').text);

test.each(documents)('the links in $path lead somewhere', ({ path, text }) => {
  for (const [, target = ''] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [file = '', anchor] = target.split('#');
    const found = file === '' ? path : normalize(join(dirname(path), file));
    expect(isThere(found), `${path} → ${target}`).toBe(true);
    if (anchor !== undefined)
      expect(anchorsOf(readDocument(found).text), `${path} → ${target}`).toContain(anchor);
  }
});

/** How forges make anchors of headings. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '');
}

test.each(documents)('the files and folders that $path names are there', ({ path, text }) => {
  const named = [...text.matchAll(/`((?:shared|controller|worker|cli|test|docs|examples)\/[\w./-]*\w)\/?`/g)];
  const missing = named.map(([, file = '']) => file).filter((file) => !isThere(file) && !notYet.has(file));
  expect(missing, path).toEqual([]);
});

/** Places for what comes only when it is needed. */
const notYet = new Set(['test/matrix']);

test('the code map names every folder that programs are made of', () => {
  const map = readDocument('ARCHITECTURE.md').text;
  const folders = ['controller', 'worker'].flatMap((program) => foldersIn(program));
  for (const folder of folders) {
    const [program, name] = folder.split('/');
    const shown = new RegExp(`^${program}/(${name}/|\\{[a-z,]*\\b${name}\\b[a-z,]*\\}/)`, 'm');
    expect(map).toMatch(shown);
  }
});

function foldersIn(program: string): readonly string[] {
  return readdirSync(join(top, program), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${program}/${entry.name}`);
}

test.each(documents)('the npm scripts that $path names exist', ({ text }) => {
  const scripts = manifestField('scripts');
  for (const [, name = ''] of text.matchAll(/\bnpm run ([a-z:-]+)/g)) expect(scripts).toHaveProperty(name);
});

test('one version everywhere', () => {
  expect(version).toBe(manifestField('version'));
  expect(readDocument('CHANGELOG.md').text).toContain(String(manifestField('version')));
});

test('the license is the one that package.json names', () => {
  expect(manifestField('license')).toBe('Apache-2.0');
  const { text } = readDocument('LICENSE');
  expect(text).toContain('Apache License');
  expect(text).toContain('Version 2.0, January 2004');
  expect(text).toContain('END OF TERMS AND CONDITIONS');
});

test('decisions are numbered without gaps, short, and say what else could have been', () => {
  const decisions = documents.filter(({ path }) => /^docs\/adr\/\d/.test(path));
  const numbers = decisions.map(({ path }) => Number(path.slice('docs/adr/'.length, 'docs/adr/'.length + 4)));
  expect([...numbers].sort((a, b) => a - b)).toEqual(decisions.map((_, i) => i + 1));
  decisions.forEach(({ path, text }, i) => {
    expect(text, path).toMatch(new RegExp(`^# ${numbers[i]}\\. `));
    expect(text.split('\n').length, path).toBeLessThanOrEqual(41);
    for (const heading of ['Context', 'Decision', 'Alternatives', 'Consequences']) {
      expect(text, path).toContain(`\n## ${heading}\n`);
    }
    expect(text, path).toContain('(+)');
    expect(text, path).toContain('(-)');
  });
});

test('nothing in the documents is left to be done, or belongs to one machine only', () => {
  for (const { path, text } of documents)
    expect(text, path).not.toMatch(/\bTODO\b|\bFIXME\b|\bTBD\b|\/tmp\/|\/work\//);
});

test('the README can be read in one sitting', () => {
  expect(readDocument('README.md').text.split('\n').length).toBeLessThanOrEqual(350);
});

function manifestField(name: string): unknown {
  return typeof manifest === 'object' && manifest !== null
    ? Object.entries(manifest).find(([key]) => key === name)?.[1]
    : undefined;
}
