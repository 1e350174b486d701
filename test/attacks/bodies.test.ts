import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { CREATE, TASKS_UPDATED, input } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { imageBytes } from '../kit/images.ts';
import { uploaded } from '../kit/kie.ts';
import { openSse } from '../kit/sse.ts';
import { onTestEnd, named } from '../kit/waits.ts';
import { API_KEYS, bearer, type Owner } from '../limits/asking.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { startAttacked } from './bystander.ts';
import { headOf, postOf, sendRaw } from './raw-http.ts';

const JSON_TYPE = 'application/json';
const TYPE = `Content-Type: ${JSON_TYPE}`;
const HOST = 'Host: 127.0.0.1';
const CHUNKED = 'Transfer-Encoding: chunked';
const CLOSE = 'Connection: close';
const OPERATION = '{"query":"{ __typename }"}';
const SECRET = 'what-was-sent';
const ACCEPTS = ['application/graphql-response+json', JSON_TYPE, 'text/event-stream'];

function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.on('error', () => undefined);
  onTestEnd(() => void socket.destroy());
  return socket;
}

async function nextOf(socket: Socket): Promise<string> {
  const [text] = (await named('an answer', once(socket, 'data'))) as [string];
  return text;
}

test('who begins a request and stops, wherever, is told and cut off after REQUEST_TIMEOUT_MS, and what has arrived whole goes on', async () => {
  const { gateway, ports, withstands } = await startAttacked({ env: { REQUEST_TIMEOUT_MS: '500' } });
  const stream = await openSse(gateway.graphqlUrl, { query: TASKS_UPDATED });
  const unfinished: readonly (readonly [what: string, request: string, status?: number])[] = [
    ['nothing', ''],
    ['half a header', `POST /graphql HTTP/1.1\r\n${HOST}\r\nX-`],
    ['half an upgrade', `GET /graphql HTTP/1.1\r\n${HOST}\r\nUpgrade: websocket\r\n`],
    ['half a body', `${headOf('POST /graphql', HOST, TYPE, 'Content-Length: 50')}{"q`],
    ['half a chunk', `${headOf('POST /graphql', HOST, TYPE, CHUNKED)}9\r\n{"q`],
    ['half a callback', `${headOf('POST /webhooks/kie/a/b', HOST, 'Content-Length: 50')}{"c`, 401],
  ];
  const answers = await withstands(() =>
    Promise.all(unfinished.map(([, request]) => sendRaw(gateway.app.port, request))),
  );
  for (const [index, { body, head, status }] of answers.entries()) {
    const [what, , expected = 408] = unfinished[index] ?? [];
    expect([what, status]).toEqual([what, expected]);
    expect(head).toContain('application/problem+json');
    if (status === 408)
      expect(JSON.parse(body)).toMatchObject({ status: 408, hint: 'Send it whole within 0.5 s.' });
  }
  const { id } = await addTask(ports.store);
  while ((await stream.data()).tasksUpdated.id !== id);
});

test('a request whose rest arrives while the process stands still is answered, however long that takes', async () => {
  const { app } = await startGateway({ env: { REQUEST_TIMEOUT_MS: '500' } });
  const socket = open(app.port);
  socket.write(
    headOf('POST /graphql', HOST, TYPE, 'Expect: 100-continue', `Content-Length: ${OPERATION.length}`),
  );
  expect(await nextOf(socket)).toContain('HTTP/1.1 100 Continue');
  socket.write(OPERATION);
  // The gateway is in this process, so both stand still.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
  expect(await nextOf(socket)).toMatch(/^HTTP\/1\.1 200 /);
});

test('what is no HTTP, or says two things at once, is refused and its connection closed', async () => {
  const { gateway, withstands } = await startAttacked();
  for (const [status, request] of [
    [400, headOf('POST /graphql', HOST, 'Content-Length: 5', 'Content-Length: 6')],
    [400, headOf('POST /graphql', HOST, 'Content-Length: 5', CHUNKED)],
    [400, headOf('GET /graphql')],
    [400, headOf('GET /graphql', `${HOST}\rX: y`)],
    [400, headOf('STEAL /graphql', HOST)],
    [400, 'hello\r\n\r\n'],
    [431, headOf(`GET /graphql?query=${'x'.repeat(100_000)}`, HOST)],
    [431, headOf('GET /graphql', HOST, `X-Long: ${'x'.repeat(100_000)}`)],
  ] as const) {
    const answer = await withstands(() => sendRaw(gateway.app.port, request));
    expect([request.slice(0, 60), answer.status]).toEqual([request.slice(0, 60), status]);
    expect(JSON.parse(answer.body)).toHaveProperty('hint');
  }
});

test('a body in thousands of tiny chunks has its connection cut, and one in hundreds is read', async () => {
  const { gateway, withstands } = await startAttacked();
  const { port } = gateway.app;
  for (const path of ['/graphql', '/uploads', '/webhooks/kie/a/b', '/nowhere']) {
    const head = headOf(`POST ${path}`, HOST, 'Content-Type: image/png', CHUNKED);
    // It has no end: only the number of chunks can end the connection.
    for (let times = 0; times < 3; times += 1)
      await withstands(() => sendRaw(port, head + '1\r\n \r\n'.repeat(20_000)));
    const chunks = Array.from(`{"query":"{ __typename }"${' '.repeat(900)}}`, (one) => `1\r\n${one}\r\n`);
    const request = `${headOf('POST /graphql', HOST, TYPE, CHUNKED, CLOSE)}${chunks.join('')}0\r\n\r\n`;
    expect(await withstands(() => sendRaw(port, request))).toMatchObject({ status: 200 });
  }
});

test('malformed JSON is refused with 400, and nothing of it is repeated', async () => {
  const { gateway, withstands } = await startAttacked();
  for (const body of [
    `{"query":"${SECRET}`,
    SECRET,
    `{"query":${SECRET}}`,
    `{"query":"{ __typename }"} ${SECRET}`,
    `${'['.repeat(100_000)}"${SECRET}"`,
    `{"query":"\u0001${SECRET}"}`,
  ])
    for (const accept of ACCEPTS) {
      const headers = { accept, 'content-type': JSON_TYPE };
      const answer = await withstands(() => fetch(gateway.graphqlUrl, { method: 'POST', headers, body }));
      const text = await answer.text();
      expect([accept, answer.status]).toEqual([accept, 400]);
      expect(text).toContain('The body is invalid JSON.');
      expect(text).not.toMatch(/position|SyntaxError|unexpected token|what-was-sent/i);
    }
});

/** JSON of exactly so many bytes, in which a character takes two. */
function ofBytes(bytes: number, json: (filler: string) => object): string {
  const rest = bytes - Buffer.byteLength(JSON.stringify(json('é')));
  return JSON.stringify(json(`é${'x'.repeat(rest)}`));
}

const operation = (filler: string): object => ({ query: '{ tasks { revision } }', variables: { filler } });
const message = (filler: string): object => ({ type: 'subscribe', id: '1', payload: operation(filler) });

test.each([
  { value: 'unset', env: {}, bytes: 256 * 1024, said: '256 KiB' },
  { value: 'set', env: { MAX_BODY_BYTES: '1000' }, bytes: 1000, said: '1000 bytes' },
])(
  'MAX_BODY_BYTES, $value, lets as many bytes through over every transport, and no more',
  async ({ bytes, env, said }) => {
    const { graphqlUrl } = await startGateway({ env });
    for (const accept of ACCEPTS) {
      const post = (size: number) => {
        const headers = { accept, 'content-type': JSON_TYPE };
        return fetch(graphqlUrl, { method: 'POST', headers, body: ofBytes(size, operation) });
      };
      const taken = await post(bytes);
      expect([taken.status, await taken.text()]).toEqual([200, expect.stringContaining('"revision":0')]);
      for (const size of [bytes + 1, 2_000_000]) {
        const refused = await post(size);
        expect(refused.headers.get('content-type')).toContain('json');
        expect(await refused.json()).toMatchObject({ status: 413, hint: `Send at most ${said}.` });
        expect(refused.status).toBe(413);
      }
    }
    const other = await openGraphqlWs(graphqlUrl);
    const client = await openGraphqlWs(graphqlUrl);
    client.send(ofBytes(bytes, message));
    expect((await client.message(({ id }) => id === '1')).type).toBe('next');
    await client.message(({ type }) => type === 'complete');
    client.send(ofBytes(bytes + 1, message));
    expect((await client.closed).code).toBe(1009);
    other.send(message(''));
    expect((await other.message(({ id }) => id === '1')).type).toBe('next');
  },
);

test('of one owner 16 MiB of bodies wait for their turn, more get 429, and another owner is served', async () => {
  const bytes = 4 * 1024 * 1024;
  const gateway = await startGateway({ env: { API_KEYS, MAX_BODY_BYTES: String(bytes) } });
  const asked = async (owner: Owner, size: number) => {
    const headers = { ...bearer(owner), accept: JSON_TYPE, 'content-type': JSON_TYPE };
    const answer = await fetch(gateway.graphqlUrl, {
      method: 'POST',
      headers,
      body: ofBytes(size, operation),
    });
    return { status: answer.status, json: (await answer.json()) as object };
  };
  const flood = Array.from({ length: 12 }, () => asked('ann', bytes));
  expect(await asked('bob', 100)).toMatchObject({ status: 200 });
  const answers = await Promise.all(flood);
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(12 - refused.length);
  const hint = 'Wait for the answers to some of them, or try again in 1 s.';
  const extensions = { code: 'RATE_LIMITED', hint, retryAfter: 1 };
  for (const { json } of refused)
    expect(json).toMatchObject({
      errors: [{ message: 'Too many operations of this owner are waiting.', extensions }],
    });
});

test('of one owner 64 MiB of large responses wait for their readers, more get 429, and another owner is served', async () => {
  const { gateway, ports } = await startAttacked({
    env: { API_KEYS },
    owner: 'bob',
    authorization: bearer('bob').authorization,
  });
  // 2,000,000 characters of which each takes six bytes in JSON.
  const prompt = '\u0001'.repeat(20_000);
  await Promise.all(Array.from({ length: 100 }, () => addTask(ports.store, { owner: 'ann', prompt })));
  const query = '{ tasks(first: 100) { edges { node { prompt } } } }';
  const unread = (owner: Owner) =>
    fetch(gateway.graphqlUrl, {
      method: 'POST',
      headers: { ...bearer(owner), accept: JSON_TYPE, 'content-type': JSON_TYPE },
      body: JSON.stringify({ query }),
    });
  const responses: Response[] = [];
  while (responses.at(-1)?.status !== 429) responses.push(await unread('ann'));
  const refused = responses.pop();
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  const hint = 'Read the responses to other requests, or try again in 1 s.';
  const extensions = { code: 'RATE_LIMITED', hint, retryAfter: 1 };
  expect(await refused?.json()).toMatchObject({
    errors: [{ message: 'Too many large responses to this owner are unread.', extensions }],
  });
  expect((await unread('bob')).status).toBe(200);
  for (const response of responses) expect((await response.text()).length).toBeGreaterThan(12_000_000);
  expect((await unread('ann')).status).toBe(200);
});

function statusesIn(text: string): readonly number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
}

async function startExpecting() {
  const provider = await startFakeProvider();
  provider.always('upload', uploaded('https://files.example/a.png'));
  return startGateway({ provider, env: { API_KEYS } });
}

const EXPECT = 'Expect: 100-continue';
const RIGHT = `Authorization: ${bearer('ann').authorization}`;

test('a request that waits for 100 (Continue) and is refused gets that at once and no 100, and its connection ends', async () => {
  const { app } = await startExpecting();
  for (const [status, target, lines] of [
    [401, 'POST /graphql', [TYPE]],
    [415, 'POST /graphql', [RIGHT, 'Content-Type: text/plain']],
    [415, 'POST /graphql', [RIGHT, 'Content-Encoding: gzip']],
    [413, 'POST /graphql', [RIGHT, TYPE]],
    [401, 'POST /uploads', ['Content-Type: image/png']],
    [415, 'POST /uploads', [RIGHT, 'Content-Type: text/plain']],
    [413, 'POST /uploads', [RIGHT, 'Content-Type: image/png']],
    [401, 'POST /webhooks/kie/a/b', [TYPE]],
    [404, 'POST /nowhere', []],
  ] as const) {
    const answer = await sendRaw(
      app.port,
      headOf(target, HOST, EXPECT, 'Content-Length: 40000000', ...lines),
    );
    expect([target, statusesIn(answer.head + answer.body)]).toEqual([target, [status]]);
    expect(answer.head).toMatch(/^connection: close$/im);
  }
  const odd = headOf('GET /health', HOST, 'Expect: miracles', CLOSE);
  expect((await sendRaw(app.port, odd)).status).toBe(200);
});

test('a request that is let in gets 100, then its answer, and may go on', async () => {
  const { app } = await startExpecting();
  const image = await imageBytes();
  const next = headOf('GET /health', HOST, CLOSE);
  for (const [target, type, body, statuses] of [
    ['POST /graphql', JSON_TYPE, Buffer.from(OPERATION), [100, 200, 200]],
    ['POST /uploads', 'image/png', image, [100, 201, 200]],
  ] as const) {
    const socket = open(app.port);
    let received = '';
    socket.on('data', (text: string) => {
      if (received === '') socket.write(Buffer.concat([body, Buffer.from(next)]));
      received += text;
    });
    const closed = once(socket, 'close');
    socket.write(
      headOf(target, HOST, RIGHT, EXPECT, `Content-Type: ${type}`, `Content-Length: ${body.length}`),
    );
    await named('the end of the connection', closed);
    expect(statusesIn(received)).toEqual(statuses);
  }
});

const VARIABLES = { input: input() };
const CREATION = JSON.stringify({ query: CREATE, variables: VARIABLES });
const SEARCH = new URLSearchParams({ query: CREATE, variables: JSON.stringify(VARIABLES) }).toString();

test('a mutation in any form that a page of another site can send is refused and makes no task', async () => {
  const { gateway, provider, withstands } = await startAttacked();
  const post = (body: BodyInit, headers = {}): RequestInit => ({ method: 'POST', body, headers });
  const form = new FormData();
  form.append('operations', CREATION);
  form.append('map', '{}');
  const json = { 'content-type': JSON_TYPE };
  const overrides = { 'x-http-method-override': 'POST', 'x-http-method': 'POST' };
  for (const [status, request, search = ''] of [
    [415, post(new URLSearchParams(SEARCH))],
    [415, post(CREATION)],
    [415, post(form)],
    [415, post(Buffer.from(CREATION))],
    [415, post(new Blob([CREATION]))],
    [400, post(`[${CREATION},${CREATION}]`, json)],
    [400, post(`[${'{},'.repeat(500)}${CREATION}]`, json)],
    [405, { method: 'GET' }, SEARCH],
    [405, { method: 'GET', headers: overrides }, SEARCH],
    [415, { method: 'POST' }, SEARCH],
  ] as readonly [number, RequestInit, string?][])
    for (const accept of ACCEPTS) {
      const headers = { ...(request.headers as Record<string, string>), accept };
      const answer = await withstands(() =>
        fetch(`${gateway.graphqlUrl}?${search}`, { ...request, headers }),
      );
      expect([accept, answer.status]).toEqual([accept, status]);
      await answer.text();
    }
  expect(provider.requests()).toEqual([]);
});

test('clients that do not read a long answer, or do not send their body, do not hold up the end of the process', async () => {
  const { gateway, ports, withstands } = await startAttacked({ env: { MAX_LIST_ITEMS: '1000' } });
  for (let index = 0; index < 100; index += 1) await addTask(ports.store, { prompt: '雪'.repeat(1500) });
  const lists = Array.from(
    { length: 10 },
    (_, index) => `a${index}: tasks(first: 100) { edges { node { prompt } } }`,
  );
  const long = JSON.stringify({ query: `{ ${lists.join(' ')} }` });
  for (const request of [
    postOf('/graphql', long, HOST),
    headOf('POST /graphql', HOST, TYPE, 'Content-Length: 9'),
  ]) {
    const socket = open(gateway.app.port).pause();
    await withstands(() => new Promise((resolve) => socket.write(request, resolve)));
  }
  // The answer is on its way: another one that asked later has its own already.
  const answer = await fetch(gateway.graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': JSON_TYPE },
    body: long,
  });
  expect((await answer.text()).length).toBeGreaterThan(1_000_000);
  await gateway.close();
});
