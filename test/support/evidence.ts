import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { FactOf } from '../../shared/domain/facts.ts';
import { exampleFleet } from '../hosts/fleet-files.ts';
import type { TestHost } from '../hosts/test-host.ts';
import type { Fleet } from './fleet.ts';
import { readFacts } from './read-facts.ts';

/** What shows, apart from Varve's own word, how often something was really done. */

const tally = '/var/lib/activations';

/** An edit of the example fleet after which every system writes a line on its host whenever it is activated. */
export async function countingActivations(): Promise<Readonly<Record<string, string>>> {
  const path = 'roles/base.nix';
  const text = await readFile(join(exampleFleet, path), 'utf8');
  const counting = text.replace(/\}\s*$/, `  activation.tally = "echo activated >> ${tally}";\n}\n`);
  return { [path]: counting };
}

/** How often a system that counts was activated on the host. */
export async function activationsOn(host: TestHost): Promise<number> {
  const { stdout } = await host.exec(['sh', '-c', `cat ${tally} 2>/dev/null || true`]);
  return stdout.split('\n').filter((line) => line !== '').length;
}

/** Every deployment that was meant to be activated has one intent and one outcome, none more. Gives the outcomes. */
export async function expectEveryIntentToHaveOneOutcome(
  fleet: Pick<Fleet, 'varve'>,
): Promise<readonly FactOf<'outcome'>[]> {
  const { all } = await readFacts(fleet.varve.dataDir);
  const intents = all.filter((fact) => fact.kind === 'intent').map(({ aim }) => aim.deployment);
  const outcomes = all.filter((fact) => fact.kind === 'outcome');
  const ended = new Set(outcomes.map(({ aim }) => aim.deployment));
  expect(new Set(intents).size).toBe(intents.length);
  expect(ended.size).toBe(outcomes.length);
  expect(intents.filter((id) => !ended.has(id))).toEqual([]);
  return outcomes;
}

/** The host runs and would boot what Varve wants there. */
export async function expectDesiredSystem(fleet: Fleet, host: string): Promise<void> {
  const { desired } = await fleet.varve.host(host);
  expect(desired).toBeDefined();
  const systems = await fleet.systems(host);
  expect(systems).toMatchObject({ current: desired, profile: desired, bootDefault: desired });
}
