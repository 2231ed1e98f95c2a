import type { Told } from './batch.ts';
import { compileAll, readSources, type Compiled, type Sources } from './compile.ts';
import { inCopy, runBatch } from './run-seeds.ts';
import type { Broken } from './totals.ts';

export interface Patch {
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly from: string;
  readonly to: string;
}

/** One rule of the core, or of a model that stands for a script on the host, broken on purpose. */
export interface Mutant extends Patch {
  /** What the mutated Varve does wrong, for people. */
  readonly name: string;
  /** The same rule in other layers, each of which would stop what the others let through. */
  readonly also?: readonly Patch[];
  /** Only a breach of this one counts; otherwise that of any. */
  readonly invariant?: number;
  /** The first seed to try: where another layer hides the loss of this rule in most stories. */
  readonly startAt?: number;
}

export interface Fate {
  readonly mutant: Mutant;
  /** `undefined`: it survived. */
  readonly caught: Broken | undefined;
  /** How many seeds that took. */
  readonly runs: number;
}

/** Within so many seeds a mutant has to be caught. */
export const budget = 3_000;
/** A mutant that goes round in circles is no mutant that was caught. */
const deadlineMs = 300_000;

/** The mutated files. @throws Error if a rule that it breaks is not there (any more) exactly once */
export function mutated(sources: Sources, mutant: Mutant): Sources {
  const files = new Map<string, string>();
  for (const { file, from, to } of [mutant, ...(mutant.also ?? [])]) {
    const text = files.get(file) ?? sources.get(file);
    const where = `mutant "${mutant.name}"`;
    if (text === undefined) throw new Error(`${where}: the simulation does not run ${file}`);
    const found = text.split(from).length - 1;
    if (found !== 1)
      throw new Error(`${where}: ${JSON.stringify(from)} is ${found} times in ${file}, not once`);
    files.set(
      file,
      text.replace(from, () => to),
    );
  }
  return files;
}

/** Runs every mutant until an invariant is broken, `jobs` at once. `onFate`: told of each as soon as it is known. */
export async function runMutants(
  mutants: readonly Mutant[],
  jobs: number,
  onFate: (fate: Fate) => void = () => {},
): Promise<readonly Fate[]> {
  const sources = await readSources();
  const compiled = compileAll(sources);
  // All of them first: a stale one is told at once, and not after the others have run.
  const patched = mutants.map((mutant) => compileAll(mutated(sources, mutant)));
  const fates: Fate[] = [];
  let next = 0;
  async function work(): Promise<void> {
    for (let i = next++; i < mutants.length; i = next++) {
      const [mutant, files] = [mutants[i], patched[i]];
      if (mutant === undefined || files === undefined) return;
      const fate = await run(mutant, new Map([...compiled, ...files]));
      fates[i] = fate;
      onFate(fate);
    }
  }
  await Promise.all(Array.from({ length: jobs }, work));
  return fates;
}

async function run(mutant: Mutant, files: Compiled): Promise<Fate> {
  const { invariant, startAt = 0 } = mutant;
  let caught: Broken | undefined;
  let runs = 0;
  const hear = (told: Told): void => {
    if (told.kind === 'broken') caught = told.broken;
    else runs += told.totals.runs;
  };
  const batch = { first: `${startAt}`, runs: budget, offset: 0, stride: 1, stopsAtFirst: true, invariant };
  try {
    await inCopy(files, (folder) => runBatch(folder, batch, hear, deadlineMs));
  } catch (thrown) {
    throw new Error(`mutant "${mutant.name}" could not be run`, { cause: thrown });
  }
  return { mutant, caught, runs };
}

/** The head of a table in Markdown, whose rows `rowOf` makes. */
export const tableHead = [
  '| Varve, made to | in | caught by seed | invariant | runs needed |',
  '| --- | --- | --- | --- | --- |',
].join('\n');

export function rowOf({ mutant, caught, runs }: Fate): string {
  const fate = caught === undefined ? '**none** | ' : `${caught.seed} | ${caught.violation.invariant}`;
  return `| ${mutant.name} | \`${mutant.file}\` | ${fate} | ${runs} |`;
}
