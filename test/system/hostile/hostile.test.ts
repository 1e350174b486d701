import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import { expect, test } from 'vitest';
import { CREATE, input } from '../../kit/documents.ts';
import { temporaryDir } from '../../kit/gateway.ts';
import { graphql } from '../../kit/graphql.ts';
import { openGraphqlWs } from '../../kit/graphql-ws.ts';
import { imageBytes, pngOf, withChunk } from '../../kit/images.ts';
import { callbackSuccess, createBody, created, deliverCallback, record } from '../../kit/kie.ts';
import { startBuiltSandbox } from '../../kit/process.ts';
import { startFakeProvider, type FakeProvider } from '../../kit/provider.ts';
import { addTask } from '../../websocket/stored-tasks.ts';
import * as raw from './raw.ts';
import { NEIGHBOUR, withstand, type Attack, type Target } from './withstand.ts';

const ASSETS = fileURLToPath(new URL('../../../dist/dashboard/assets/', import.meta.url));
const KIB = 1024;
const TEN_MIB = 10 * KIB * KIB;
const KEY = `Authorization: ${NEIGHBOUR.authorization}`;
const CHUNKED = ['Content-Type: application/json', 'Transfer-Encoding: chunked'];
const BODY_PATHS = ['/webhooks/kie/x/y', '/graphql', '/nowhere', '/uploads'];
const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  `Sec-WebSocket-Protocol: ${GRAPHQL_TRANSPORT_WS_PROTOCOL}`,
];
const STATES = ['SUBMITTING', 'WAITING', 'QUEUING', 'GENERATING', 'SUCCESS', 'FAIL'];
const BY_STATES = 'query ($states: [TaskState!]) { tasks(first: 1, states: $states) { revision } }';

/** What those do who have no key. */
const BY_STRANGERS: readonly Attack[] = [
  {
    promise: 'a body in chunks of one byte takes no more memory than its limit, on any path',
    run: async ({ port }) => {
      const connections = await raw.collect(20, async (index) => {
        const connection = raw.openRawConnection(port);
        const head = raw.requestHead(`POST ${BODY_PATHS[index % BODY_PATHS.length]}`, ...CHUNKED);
        await connection.pour([head, ...raw.chunksOfOneByte(250_000)]);
        return connection;
      });
      const all = connections.map(({ ended }) => ended);
      await raw.inTime(all, 'They are not answered');
    },
  },
  {
    promise: 'a socket message in fragments of one byte is refused before connection_init',
    run: async ({ port }) => {
      const connections = await raw.collect(200, async () => {
        const connection = raw.openRawConnection(port);
        await connection.pour([raw.requestHead('GET /graphql', ...UPGRADE)]);
        await connection.pour(raw.fragmentsOfOneByte(15_000));
        return connection;
      });
      const closed = connections.map((connection) => connection.closed);
      await raw.inTime(closed, 'The sockets stay open');
    },
  },
  {
    promise: 'a long Origin that looks like the beginning of a token costs next to nothing',
    run: ({ port }) =>
      raw.lanes(10, 10, async () => {
        const connection = raw.openRawConnection(port);
        const origin = `Origin: ${'-eyJ'.repeat(3750)}`;
        await connection.pour([raw.requestHead('GET /graphql', ...UPGRADE, origin)]);
        await connection.ended;
      }),
  },
  {
    promise: 'the body of somebody without a credential is not taken in',
    run: async ({ port }) => {
      const piece = Buffer.alloc(64 * KIB, 'x');
      const connections = await raw.collect(1500, async (index) => {
        const connection = raw.openRawConnection(port);
        const path = ['/graphql', '/uploads', '/webhooks/kie/x/y'][index % 3];
        const type = path === '/uploads' ? 'image/png' : 'application/json';
        const head = raw.requestHead(`POST ${path}`, `Content-Type: ${type}`, `Content-Length: ${256 * KIB}`);
        await connection.pour([head, piece, piece, piece, piece.subarray(1)]);
        return connection;
      });
      const all = connections.map(({ ended }) => ended);
      await raw.inTime(all, 'Their bodies are waited for');
    },
  },
  {
    promise: 'the largest file of the pages, requested and not read, does not hold up others',
    run: async ({ port }) => {
      const [largest = ''] = filesBySize(ASSETS);
      await raw.collect(500, async () => {
        const connection = raw.openRawConnection(port);
        connection.pause();
        await connection.pour([raw.requestHead(`GET /assets/${largest}`)]);
      });
      await raw.patience();
    },
  },
  {
    promise: 'guesses of keys cost next to nothing',
    run: ({ graphqlUrl }) =>
      raw.lanes(10, 60, async (lane, turn) => {
        await graphql(
          graphqlUrl,
          '{ __typename }',
          {},
          { authorization: `Bearer guess-${lane}-${turn}-xxxx` },
        );
      }),
  },
];

/** What one owner does, with a key, against the others. */
const BY_NEIGHBOURS: readonly Attack[] = [
  {
    promise: 'with a key, too, a body in chunks of one byte takes no more memory than its limit',
    maxGrowthMib: 60,
    run: async ({ port }) => {
      const head = raw.requestHead('POST /graphql', KEY, ...CHUNKED);
      await raw.collect(8, () => raw.openRawConnection(port).pour([head, ...raw.chunksOfOneByte(250_000)]));
      await raw.patience();
    },
  },
  {
    promise: 'a variable that is full of suggestions costs next to nothing where those are taken out',
    env: () => Promise.resolve({ INTROSPECTION: 'false' }),
    run: (target) =>
      raw.lanes(10, 10, () => ask(target, BY_STATES, { states: ['Did you mean '.repeat(1500)] })),
  },
  {
    promise: 'answers that nobody reads are neither made ahead nor kept',
    env: () => Promise.resolve({ SLOW_READER_MS: '1000' }),
    seed: async (store) => {
      for (let index = 0; index < 100; index += 1)
        await addTask(store, { owner: 'neighbour', prompt: '雪'.repeat(1500) });
    },
    run: async ({ port }) => {
      const list = 'tasks(first: 100) { edges { node { id prompt } } }';
      const json = JSON.stringify({ query: `{ a: ${list} b: ${list} }` });
      const length = `Content-Length: ${Buffer.byteLength(json)}`;
      const post = raw.requestHead('POST /graphql', KEY, 'Content-Type: application/json', length) + json;
      const connections = await raw.collect(6, async () => {
        const connection = raw.openRawConnection(port);
        connection.pause();
        await connection.pour([post.repeat(108)]);
        return connection;
      });
      // The gateway counts little of the time in which it is busy.
      await raw.patience(6000);
      // Those that were cut end as soon as the rest is read.
      for (const connection of connections) connection.resume();
      const closed = connections.map((connection) => connection.closed);
      await raw.inTime(closed, 'Connections that nobody reads stay open');
    },
  },
  {
    promise: 'lists of tens of thousands of values leave nothing behind and are no outage',
    run: async (target) => {
      for (let turn = 0; turn < 80; turn += 1) {
        const length = 30_000 + turn * 80;
        const states = Array.from({ length }, (_, index) => STATES[index % STATES.length]);
        if ((await ask(target, BY_STATES, { states })) === 'SERVICE_UNAVAILABLE')
          throw new Error('A long list is answered as an outage');
      }
    },
  },
  {
    promise: 'documents that are refused leave nothing behind',
    maxGrowthMib: 90,
    run: (target) =>
      raw.lanes(8, 100, (lane, turn) => {
        const fields = Array.from({ length: 240 }, (_, index) => `a${index}:__typename`);
        return ask(target, `{ l${lane}t${turn}:__typename ${fields.join(' ')} }`, {});
      }),
  },
  {
    promise: 'thousands of subscriptions that share nothing do not hold up others',
    env: () => Promise.resolve({ MAX_OPERATIONS_PER_SECOND: '1000' }),
    run: async (target) => {
      const perSocket = 99;
      const sockets = await raw.collect(31, async (number) => {
        const socket = await openGraphqlWs(target.graphqlUrl, { connectionParams: NEIGHBOUR });
        for (let index = 0; index < perSocket; index += 1) {
          const field = `s${number * perSocket + index}: id state prompt videos { url }`;
          const payload = { query: `subscription { tasksUpdated { ${field} } }` };
          socket.send({ type: 'subscribe', id: String(index), payload });
        }
        // Its operations begin in order, so that all are there when the last one is answered.
        socket.send({ type: 'subscribe', id: 'last', payload: { query: '{ __typename }' } });
        await socket.message(({ id }) => id === 'last');
        return socket;
      });
      // All of them hear of it more than once: it is created and goes through its states.
      await ask(target, CREATE, { input: input({ prompt: 'snow [sandbox: duration=1s]' }) });
      for (const { message } of sockets)
        for (let told = 0; told < perSocket; told += 1)
          await message(({ type, id }) => type === 'next' && id !== 'last');
    },
  },
  {
    promise: 'fifty images of 10 MB at once take little memory, all arrive, and no file is left over',
    // Most of it is garbage that V8 has not looked at yet, which newer ones do later: twice as many images cost no more.
    maxGrowthMib: Number(process.versions.node.split('.')[0]) < 22 ? 100 : 150,
    env: async () => {
      uploadsDir = await temporaryDir();
      return { KIE_API_KEY: 'any', KIE_API_URL: (await startBuiltSandbox()).url, TMPDIR: uploadsDir };
    },
    run: async ({ url }) => {
      const marked = 16;
      const image = await pngOf(TEN_MIB - marked);
      const [header, rest] = [image.subarray(0, 33), image.subarray(33)];
      const urls = await raw.collect(50, (index) => {
        // Each with a small part of its own behind the header, so that no two are the same.
        const own = withChunk(header, 'kiNo', Buffer.from(String(index).padStart(4)));
        return upload(url, [own.subarray(0, 33 + marked), rest]);
      });
      if (new Set(urls).size !== 50) throw new Error('Images have the same address');
      const served = await (await fetch(urls[0] ?? '')).arrayBuffer();
      if (served.byteLength !== TEN_MIB) throw new Error(`One is served as ${served.byteLength} bytes`);
      const left = await readdir(uploadsDir);
      if (left.length > 0) throw new Error(`Files are left over: ${left.join()}`);
    },
  },
  {
    promise: 'creates that wait for their turn do not hold up others',
    env: () => Promise.resolve({ CREATE_WAIT_MS: '0', KIE_CREATES_PER_10S: '2' }),
    run: (target) => raw.lanes(10, 15, () => ask(target, CREATE, { input: input() })),
  },
  {
    promise: 'uploads that do not move do not hold up others',
    run: async ({ port }) => {
      const image = await imageBytes();
      const head = raw.requestHead(
        'POST /uploads',
        KEY,
        'Content-Type: image/png',
        'Content-Length: 1000000',
      );
      await raw.collect(100, () => raw.openRawConnection(port).pour([head, image.subarray(0, 1000)]));
      await raw.patience();
    },
  },
  {
    promise: 'one callback that comes hundreds of times does not hold up others',
    env: async () => {
      provider = await startFakeProvider();
      provider.always('createTask', created('kie-1'));
      provider.always('recordInfo', record('kie-1'));
      return { KIE_API_KEY: 'any', KIE_API_URL: provider.url, PUBLIC_URL: 'https://gateway.example.test' };
    },
    run: async (target) => {
      await ask(target, CREATE, { input: input() });
      const { callBackUrl = '' } = createBody(await provider.received('createTask'));
      const callback = target.url + new URL(callBackUrl).pathname;
      await raw.lanes(10, 24, () => deliverCallback(callback, callbackSuccess('kie-1')));
    },
  },
];

let uploadsDir = '';
let provider: FakeProvider;

// Each attacks a gateway of its own while somebody else uses it; what is allowed stands in withstand.ts.
const ATTACKS = [...BY_STRANGERS, ...BY_NEIGHBOURS].map((attack) => [attack.promise, attack] as const);
test.for(ATTACKS)('%s', async ([, attack], { annotate }) => {
  const { complaints, figures } = await withstand(attack);
  await annotate(figures);
  expect(complaints, figures).toEqual([]);
});

/** Sends an operation of the neighbour's and reads the answer whole; returns the code of its error. */
async function ask(
  { graphqlUrl }: Target,
  query: string,
  variables: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const { body } = await graphql(graphqlUrl, query, variables, NEIGHBOUR);
  return body.errors?.[0]?.extensions?.['code'];
}

/** Sends an image in parts, none of which is copied; returns its address. */
async function upload(url: string, parts: readonly Buffer[]): Promise<string> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const headers = { ...NEIGHBOUR, 'content-type': 'image/png', 'content-length': length };
  const outgoing = request(`${url}/uploads`, { method: 'POST', headers, agent: false });
  for (const part of parts) outgoing.write(part);
  outgoing.end();
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const said = await text(answer);
  if (answer.statusCode !== 201) throw new Error(`An image is answered with ${said}`);
  return (JSON.parse(said) as { readonly url: string }).url;
}

function filesBySize(directory: string): readonly string[] {
  const sizeOf = (name: string) => statSync(directory + name).size;
  return readdirSync(directory).toSorted((one, other) => sizeOf(other) - sizeOf(one));
}
