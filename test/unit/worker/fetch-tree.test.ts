import { createServer, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { parseTree } from '../../../shared/domain/names.ts';
import { controllerAddresses, createFetchTree } from '../../../worker/fetch-tree.ts';

const tree = parseTree('a'.repeat(40));
const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done))));
});

/** A controller that has the tree, or does not. */
async function controller(pack: string | undefined): Promise<string> {
  const server = createServer((request, response) => {
    const known = pack !== undefined && request.url === `/internal/trees/${tree}`;
    response.statusCode = request.headers.authorization !== 'Bearer shared' ? 401 : known ? 200 : 404;
    response.end(response.statusCode === 200 ? pack : '');
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

async function fetched(addresses: readonly string[]): Promise<string> {
  const fetchTree = createFetchTree({ addresses: async () => addresses, token: 'shared' });
  return Buffer.from(await fetchTree(tree, new AbortController().signal)).toString();
}

test('a tree comes from the first controller that has it', async () => {
  const leader = await controller('the pack');
  expect(await fetched([leader, await controller('another')])).toBe('the pack');
});

test('a controller that stands by, or does not answer, is passed over', async () => {
  const standby = await controller(undefined);
  expect(await fetched(['http://127.0.0.1:1', standby, await controller('the pack')])).toBe('the pack');
});

test('that nobody has it is a passing failure which names the last one asked', async () => {
  const standby = await controller(undefined);
  await expect(fetched([standby])).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    disposition: 'transient',
    message: `the controller at ${standby} answers 404 for tree ${tree}`,
  });
});

test('the leader is asked before what the configuration says, if it says where it answers', async () => {
  const configured = 'http://configured:7420';
  const addresses = (leader: () => Promise<string | undefined>): Promise<readonly string[]> =>
    controllerAddresses({ leader, configured })();
  expect(await addresses(async () => 'http://leader:7420/')).toEqual(['http://leader:7420', configured]);
  expect(await addresses(async () => 'some-machine-4711')).toEqual([configured]);
  expect(await addresses(async () => undefined)).toEqual([configured]);
  expect(await addresses(() => Promise.reject(new Error('no store')))).toEqual([configured]);
});
