import { z } from 'zod';

import type { Connection } from '../../shared/domain/fleet.ts';

/** What the bench tells the sender to do. One is answered after the other, but for pushes, which may overlap. */
export const Order = z.discriminatedUnion('kind', [
  /** Forget everything: connections are closed, and what was kept on disk is gone. */
  z.object({ kind: z.literal('begin-anew'), id: z.number() }),
  z.object({
    kind: z.literal('push'),
    id: z.number(),
    connection: z.object({
      address: z.string(),
      port: z.number(),
      user: z.string(),
      hostKeys: z.array(z.string()),
    }),
    path: z.string(),
  }),
]);
export type Order = z.infer<typeof Order>;

/** How long it took in the sender, in milliseconds, or why it failed. */
export const Answer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('done'), id: z.number(), ms: z.number(), sent: z.number() }),
  z.object({ kind: z.literal('failed'), id: z.number(), why: z.string() }),
]);
export type Answer = z.infer<typeof Answer>;

/** Where the sender is to work, as its one argument in JSON. */
export const SenderPlace = z.object({
  /** `/nix/store/x` is `<storeRoot>/nix/store/x`. */
  storeRoot: z.string(),
  /** For all else that it writes. */
  folder: z.string(),
  /** A private key that the hosts let in. */
  keyFile: z.string(),
});
export type SenderPlace = z.infer<typeof SenderPlace>;

/** The order without its number, which the one who sends it gives. */
export type Wish =
  | { readonly kind: 'begin-anew' }
  | { readonly kind: 'push'; readonly connection: Connection; readonly path: string };
