import { expect, test } from 'vitest';
import { z } from 'zod';
import { manifestJsonSchema } from '../../../shared/contracts/manifest-schema.ts';
import { parseManifest } from '../../../shared/contracts/manifest.ts';
import { WrittenServiceConfig } from '../../../shared/contracts/service-config-schema.ts';
import { parseControllerConfig, parseWorkerConfig } from '../../../shared/contracts/service-config.ts';
import { documents, type Example, examples } from './read-documents.ts';

const yaml = documents.flatMap(examples).filter(({ language }) => language === 'yaml');
const manifests = yaml.filter(({ text }) => text.startsWith('# varve.yaml'));
const services = yaml.filter((example) => !manifests.includes(example));

test.each(manifests)('the varve.yaml in $path is valid', ({ text }) => {
  expect(parseManifest(text)).toMatchObject({ kind: 'fleet' });
});

test.each(services)('the service configuration in $path is valid', (example) => {
  const input = serviceInput(example);
  expect(parseControllerConfig(input).warnings).toEqual([]);
  expect(parseWorkerConfig(input).warnings).toEqual([]);
});

test('the varve.yaml in the README and that in docs/configuration.md have every key that there is', () => {
  const text = textOf(manifests, 'README.md') + textOf(manifests, 'docs/configuration.md');
  // `url` is said beside it: it excludes `port` and `path`.
  for (const key of keysOf(manifestJsonSchema())) expect(text).toMatch(new RegExp(`\\b${key}\\b`));
});

test('the documented service configuration has every key that there is', () => {
  const text = textOf(services, 'docs/configuration.md');
  const schema = z.toJSONSchema(WrittenServiceConfig, { io: 'input', unrepresentable: 'any' });
  for (const key of keysOf(schema)) expect(text).toMatch(new RegExp(`\\b${key}\\b`));
});

function textOf(among: readonly Example[], path: string): string {
  return among.find((example) => example.path === path)?.text ?? '';
}

/** A part of a configuration is completed with what it needs; what it names is thought to be there. */
function serviceInput({ text, path }: Example) {
  const whole = /^repository:/m.test(text);
  const names = [...text.matchAll(/\benv: (\w+)/g)].map((found) => found[1] ?? '');
  return {
    text,
    path,
    env: {
      ...(whole ? {} : { VARVE_REPOSITORY_URL: 'https://forge.example/team/fleet' }),
      ...Object.fromEntries(names.map((name) => [name, 'secret'])),
    },
    readFile: () => 'secret\n',
  };
}

/** The names of all properties in a JSON Schema, however deep. */
function keysOf(schema: unknown): ReadonlySet<string> {
  const keys = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const entries: readonly (readonly [string, unknown])[] = Object.entries(value);
    for (const [name, inner] of entries) {
      if (name === 'properties' && typeof inner === 'object' && inner !== null) {
        for (const key of Object.keys(inner)) keys.add(key);
      }
      walk(inner);
    }
  };
  walk(schema);
  return keys;
}
