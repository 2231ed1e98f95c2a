import { createServer } from 'node:http';

/** A page for health checks to ask: not well until it is told so. What holds a confirmation window open in tests. */
export interface HealthPage {
  readonly url: string;
  /** How often it was asked. */
  asked(): number;
  /** From now on every check passes. */
  becomeWell(): void;
  close(): Promise<void>;
}

export async function startHealthPage(): Promise<HealthPage> {
  let asked = 0;
  let well = false;
  const server = createServer((_, response) => {
    asked += 1;
    response.writeHead(well ? 200 : 503).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new RangeError('a page without a port');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    asked: () => asked,
    becomeWell() {
      well = true;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
