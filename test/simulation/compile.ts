import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

/** The repository's top folder. */
export const top = join(import.meta.dirname, '../..');

/** Where a compiled copy has the program that tells stories, one seed after the other. */
export const batchProgram = 'test/simulation/batch.js';

const options: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext,
  target: ts.ScriptTarget.ES2023,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
};

/** A source file of the simulation, by its path from the top. */
export type Sources = ReadonlyMap<string, string>;

/** The simulation and all of the core that it runs: whatever its program imports, and what that imports. */
export async function readSources(): Promise<Sources> {
  const sources = new Map<string, string>();
  const open = [batchProgram.replace(/\.js$/, '.ts')];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (sources.has(file)) continue;
    const text = await readFile(join(top, file), 'utf8');
    sources.set(file, text);
    for (const { fileName } of ts.preProcessFile(text).importedFiles) {
      if (fileName.startsWith('.')) open.push(normalize(join(dirname(file), fileName)));
    }
  }
  return sources;
}

/** Compiled files, by their paths from the top. */
export type Compiled = ReadonlyMap<string, string>;

/** Types are only taken away: a copy that is to be wrong on purpose need not satisfy the compiler. */
export function compileAll(sources: Sources): Compiled {
  const compiled = new Map<string, string>();
  for (const [path, text] of sources) {
    const { outputText } = ts.transpileModule(text, { compilerOptions: options, fileName: path });
    compiled.set(path.replace(/\.ts$/, '.js'), outputText);
  }
  return compiled;
}

/** Writes a copy that plain Node runs: faster to start and to run than sources that are compiled as they are loaded. */
export async function writeCopy(into: string, files: Compiled): Promise<void> {
  await writeFile(join(into, 'package.json'), '{ "type": "module" }\n');
  await symlink(join(top, 'node_modules'), join(into, 'node_modules'));
  for (const [path, text] of files) {
    await mkdir(dirname(join(into, path)), { recursive: true });
    await writeFile(join(into, path), text);
  }
}
