import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { collect, costsLike, lanes } from './crowd.ts';
import { NEIGHBOUR, type Attack, type Target } from './kit.ts';
import {
  allAnswered,
  allClosed,
  chunksOfOneByte,
  fragmentsOfOneByte,
  openRawConnection,
  patience,
  requestHead,
} from './raw.ts';

const KIB = 1024;
const ASSETS = fileURLToPath(new URL('../../../dist/dashboard/assets/', import.meta.url));
const CHUNKED = ['Content-Type: application/json', 'Transfer-Encoding: chunked'];
const BODY_PATHS = ['/webhooks/kie/x/y', '/graphql', '/nowhere', '/uploads'];
const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  `Sec-WebSocket-Protocol: ${GRAPHQL_TRANSPORT_WS_PROTOCOL}`,
];
/** What Java's HttpClient sends with each request over http. */
const H2C = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAEAAEAA'];

/** What those do who have no key. */
export const BY_STRANGERS: readonly Attack[] = [
  {
    promise: 'a body in chunks of one byte takes no more memory than its limit, on any path',
    run: async ({ port }) => {
      const connections = await collect(20, async (index) => {
        const connection = openRawConnection(port);
        const head = requestHead(`POST ${BODY_PATHS[index % BODY_PATHS.length]}`, ...CHUNKED);
        await connection.pour([head, ...chunksOfOneByte(250_000)]);
        return connection;
      });
      await allAnswered(connections);
    },
  },
  {
    promise: 'a socket message in fragments of one byte is refused before connection_init',
    run: async ({ port }) => {
      const connections = await collect(200, async () => {
        const connection = openRawConnection(port);
        await connection.pour([requestHead('GET /graphql', ...UPGRADE)]);
        await connection.pour(fragmentsOfOneByte(15_000));
        return connection;
      });
      if (!(await allClosed(connections))) throw new Error('The sockets stay open');
    },
  },
  {
    promise: 'a long Origin that looks like the beginning of a token costs next to nothing',
    run: async ({ port }) => {
      const upgrade = (origin: string) => () =>
        answerTo(port, requestHead('GET /graphql', ...UPGRADE, `Origin: ${origin}`), 403);
      await costsLike(upgrade('-xyz'.repeat(3750)), upgrade('-eyJ'.repeat(3750)));
    },
  },
  {
    promise: 'the body of somebody without a credential is not taken in',
    run: async ({ port }) => {
      const piece = Buffer.alloc(64 * KIB, 'x');
      const connections = await collect(1500, async (index) => {
        const connection = openRawConnection(port);
        const path = ['/graphql', '/uploads', '/webhooks/kie/x/y'][index % 3];
        const type = path === '/uploads' ? 'image/png' : 'application/json';
        const head = requestHead(`POST ${path}`, `Content-Type: ${type}`, `Content-Length: ${256 * KIB}`);
        await connection.pour([head, piece, piece, piece, piece.subarray(1)]);
        return connection;
      });
      if (!(await allAnswered(connections))) throw new Error('Their bodies are waited for');
    },
  },
  {
    promise: 'clients that request the largest file of the pages and read nothing do not hold up others',
    run: async ({ port }) => {
      const [largest = ''] = filesBySize(ASSETS);
      await collect(500, async () => {
        const connection = openRawConnection(port);
        connection.pause();
        await connection.pour([requestHead(`GET /assets/${largest}`)]);
      });
      await patience();
    },
  },
  {
    promise: 'an odd request is served or refused, never with a 5xx or a path of the machine',
    run: async ({ port }) => {
      const answers = await collect(ODD_REQUESTS.length, (index) =>
        answerTo(port, ODD_REQUESTS[index] ?? ''),
      );
      const wrong = answers.flatMap((answer, index) =>
        /^HTTP\/1\.1 5|node_modules|dist\/|\bat .*:\d+:\d+/.test(answer)
          ? [`${ODD_REQUESTS[index]?.split('\r\n\r\n')[0]}: ${answer.slice(0, 200)}`]
          : [],
      );
      if (wrong.length > 0) throw new Error(wrong.join('\n'));
    },
  },
  {
    promise: 'an upgrade to HTTP/2 is ignored: the request is answered as without it',
    run: async ({ port }) => {
      await answerTo(port, requestHead('GET /health', ...H2C), 200);
      await answerTo(port, postOf('/graphql', '{"query":"{ __typename }"}', ...H2C), 401);
      await answerTo(port, postOf('/webhooks/kie/x/y', '{}', ...H2C), 401);
    },
  },
  {
    promise: 'whoever tries keys is told to wait, and a right key from the same address still passes',
    run: async (target) => {
      const statuses = new Map<number, number>();
      await lanes(10, 60, async (lane, turn) => {
        const answer = await ask(target, `Bearer guess-${lane}-${turn}-xxxxxxxx`);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status === 429 && answer.headers.get('retry-after') === null)
          throw new Error('429 does not say when to come back');
      });
      if (!statuses.has(429)) throw new Error(`Nobody was told to wait: ${JSON.stringify([...statuses])}`);
      const { status } = await ask(target, NEIGHBOUR.authorization);
      if (status !== 200) throw new Error(`A right key is answered with ${status}`);
    },
  },
];

/** Requests that a client library would not send, or that look odd to a server. */
const ODD_REQUESTS: readonly string[] = [
  requestHead('GET /health').replace('Host: 127.0.0.1', 'Host: a b'),
  postOf('/graphql', '{"query":"{ __typename }"}').replace('Host: 127.0.0.1', 'Host: a b'),
  requestHead('GET /health').replace('Host: 127.0.0.1', 'Host: [::1'),
  requestHead('GET /health').replace('Host: 127.0.0.1', 'Host: 127.0.0.1:99999999'),
  requestHead('GET http://127.0.0.1/health'),
  requestHead('GET http://a b/health'),
  postOf('http://127.0.0.1/graphql', '{"query":"{ __typename }"}'),
  postOf('/graphql/', '{"query":"{ __typename }"}'),
  requestHead('GET /graphql?query=%'),
  requestHead('GET /%2e%2e/%2e%2e/etc/passwd'),
  requestHead('GET //graphql'),
  requestHead('OPTIONS *'),
  requestHead('CONNECT 127.0.0.1:80'),
  requestHead('TRACE /health'),
  requestHead('GET /graphql', 'Connection: Upgrade', 'Upgrade: websocket'),
  requestHead('GET /nowhere', ...UPGRADE),
  requestHead('GET /health', 'X-Forwarded-Host: a b', 'X-Forwarded-For: x, y'),
  requestHead(
    'POST /graphql',
    'Content-Type: application/json',
    'Content-Encoding: gzip',
    'Content-Length: 0',
  ),
];

function postOf(target: string, json: string, ...lines: readonly string[]): string {
  const length = `Content-Length: ${Buffer.byteLength(json)}`;
  return requestHead(`POST ${target}`, 'Content-Type: application/json', length, ...lines) + json;
}

/** The head of the answer to a request on a connection of its own. */
async function answerTo(port: number, request: string, status?: number): Promise<string> {
  const connection = openRawConnection(port);
  await connection.pour([request]);
  await Promise.race([connection.answered, connection.closed, patience()]);
  const answer = connection.received();
  if (status !== undefined && !answer.startsWith(`HTTP/1.1 ${status} `))
    throw new Error(`${request.slice(0, 300)} is answered with ${answer.slice(0, 300)}, not with ${status}`);
  return answer;
}

function ask({ graphqlUrl }: Target, authorization: string): Promise<Response> {
  const headers = { authorization, 'content-type': 'application/json' };
  return fetch(graphqlUrl, { method: 'POST', headers, body: '{"query":"{ __typename }"}' });
}

function filesBySize(directory: string): readonly string[] {
  const sizeOf = (name: string) => statSync(directory + name).size;
  return readdirSync(directory).toSorted((one, other) => sizeOf(other) - sizeOf(one));
}
