import { guardBytes } from '../../worker/guard/guard-path.ts';

/** The guard's functions, without what calls them: text for a shell. */
export const guardFunctions = Buffer.from(guardBytes).toString('utf8').split('\nverb=')[0] ?? '';
