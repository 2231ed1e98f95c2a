import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import { parseStorePath } from '../../domain/names.ts';
import type { Closures } from '../ports/closures.ts';
import type { RedisConnections } from './client.ts';
import { talking } from './errors.ts';
import { keysOf } from './keys.ts';

const keptSeconds = 90 * 24 * 3600;
const Entries = z.array(z.tuple([z.string(), z.number()]));

/** Compressed: a NixOS closure of 2,000 paths takes about 60 KiB. */
export function createRedisClosures(deps: {
  readonly redis: RedisConnections;
  readonly fleet: string;
}): Closures {
  const { commands } = deps.redis;
  const key = keysOf(deps.fleet);
  return {
    async put(toplevel, paths) {
      const text = JSON.stringify(paths.map(({ path, narSize }) => [path, narSize]));
      const packed = await promisify(gzip)(text);
      await talking(() => commands.set(key(`closure:${toplevel}`), packed, 'EX', keptSeconds));
    },
    async get(toplevel) {
      const packed = await talking(() => commands.getBuffer(key(`closure:${toplevel}`)));
      if (packed === null) return undefined;
      const text = (await promisify(gunzip)(packed)).toString('utf8');
      return Entries.parse(JSON.parse(text)).map(([path, narSize]) => ({
        path: parseStorePath(path),
        narSize,
      }));
    },
  };
}
