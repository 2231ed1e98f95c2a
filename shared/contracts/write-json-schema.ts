import { writeFile } from 'node:fs/promises';
import { renderedManifestJsonSchema } from './manifest-schema.ts';

/** `tsx shared/contracts/write-json-schema.ts`: writes the JSON Schema of varve.yaml for editors. */
await writeFile(new URL('../../docs/varve.schema.json', import.meta.url), renderedManifestJsonSchema());
