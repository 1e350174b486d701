import { expect, test } from 'vitest';
import { startAttacked } from './bystander.ts';
import { headOf, sendRaw } from './raw-http.ts';

const JSON_TYPE = 'application/json';
const SECRET = 'what-was-sent';
const ACCEPTS = ['application/graphql-response+json', JSON_TYPE, 'text/event-stream'];

const HOST = 'Host: 127.0.0.1';
const UNFINISHED: readonly (readonly [what: string, request: string, status?: number])[] = [
  ['nothing', ''],
  ['half a header', `POST /graphql HTTP/1.1\r\n${HOST}\r\nX-`],
  ['half an upgrade', `GET /graphql HTTP/1.1\r\n${HOST}\r\nUpgrade: websocket\r\n`],
  ['half a body', `${headOf('POST /graphql', HOST, `Content-Type: ${JSON_TYPE}`, 'Content-Length: 50')}{"q`],
  [
    'half a chunk',
    `${headOf('POST /graphql', HOST, `Content-Type: ${JSON_TYPE}`, 'Transfer-Encoding: chunked')}9\r\n{"q`,
  ],
  ['half a callback', `${headOf('POST /webhooks/kie/a/b', HOST, 'Content-Length: 50')}{"c`, 401],
];

const MALFORMED: readonly (readonly [what: string, body: string])[] = [
  ['that ends early', `{"query":"${SECRET}`],
  ['that is no JSON', SECRET],
  ['with a word that is no value', `{"query":${SECRET}}`],
  ['with something behind it', `{"query":"{ __typename }"} ${SECRET}`],
  ['of brackets without end', `${'['.repeat(100_000)}"${SECRET}"`],
  ['with a control character', `{"query":"\u0001${SECRET}"}`],
];

test('who begins a request and stops, wherever, is told and cut off', async () => {
  const { gateway, withstands } = await startAttacked({ env: { REQUEST_TIMEOUT_MS: '500' } });
  const answers = await withstands(() =>
    Promise.all(UNFINISHED.map(([, request]) => sendRaw(gateway.app.port, request))),
  );
  for (const [index, { body, head, status }] of answers.entries()) {
    const [what, , expected = 408] = UNFINISHED[index] ?? [];
    expect([what, status]).toEqual([what, expected]);
    expect(head).toContain('application/problem+json');
    if (status === 408)
      expect(JSON.parse(body)).toMatchObject({ status: 408, hint: 'Send it whole within 0.5 s.' });
  }
});

test.each([
  ['two lengths', headOf('POST /graphql', HOST, 'Content-Length: 5', 'Content-Length: 6')],
  ['a length and chunks', headOf('POST /graphql', HOST, 'Content-Length: 5', 'Transfer-Encoding: chunked')],
  ['no host', headOf('GET /graphql')],
  ['a line break in a header', headOf('GET /graphql', `${HOST}\rX: y`)],
  ['a method of its own', headOf('STEAL /graphql', HOST)],
  ['what is no HTTP', 'hello\r\n\r\n'],
])('a request with %s is refused and its connection closed', async (_, request) => {
  const { gateway, withstands } = await startAttacked();
  expect(await withstands(() => sendRaw(gateway.app.port, request))).toMatchObject({ status: 400 });
});

test.each(['/graphql', '/uploads', '/webhooks/kie/a/b', '/nowhere'])(
  'a body for %s in thousands of tiny chunks has its connection cut, and the next one is read as ever',
  async (path) => {
    const { gateway, withstands } = await startAttacked();
    const head = headOf(`POST ${path}`, HOST, 'Content-Type: image/png', 'Transfer-Encoding: chunked');
    // It has no end: only the number of chunks can end the connection.
    for (let times = 0; times < 3; times += 1)
      await withstands(() => sendRaw(gateway.app.port, head + '1\r\n \r\n'.repeat(20_000)));
    const chunks = Array.from(`{"query":"{ __typename }"${' '.repeat(900)}}`, (one) => `1\r\n${one}\r\n`);
    const fine = headOf(
      'POST /graphql',
      HOST,
      `Content-Type: ${JSON_TYPE}`,
      'Transfer-Encoding: chunked',
      'Connection: close',
    );
    const request = `${fine}${chunks.join('')}0\r\n\r\n`;
    expect(await withstands(() => sendRaw(gateway.app.port, request))).toMatchObject({ status: 200 });
  },
);

test('an address or a head that is too long is refused with 431 and what is allowed', async () => {
  const { gateway, withstands } = await startAttacked();
  for (const request of [
    headOf(`GET /graphql?query=${'x'.repeat(100_000)}`, HOST),
    headOf('GET /graphql', HOST, `X-Long: ${'x'.repeat(100_000)}`),
  ]) {
    const { body, status } = await withstands(() => sendRaw(gateway.app.port, request));
    expect(status).toBe(431);
    expect(JSON.parse(body)).toHaveProperty('hint');
  }
});

test('malformed JSON is refused with 400, and nothing of it is repeated', async () => {
  const { gateway, withstands } = await startAttacked();
  for (const [, body] of MALFORMED) {
    for (const accept of ACCEPTS) {
      const headers = { accept, 'content-type': JSON_TYPE };
      const answer = await withstands(() => fetch(gateway.graphqlUrl, { method: 'POST', headers, body }));
      const text = await answer.text();
      expect([accept, answer.status]).toEqual([accept, 400]);
      expect(text).toContain('The body is invalid JSON.');
      expect(text).not.toContain(SECRET);
      expect(text).not.toMatch(/position|SyntaxError|unexpected token/i);
    }
  }
});

test('a body of 2 MB is refused with 413 and what is allowed, whatever is wanted back', async () => {
  const { gateway, withstands } = await startAttacked();
  const body = JSON.stringify({ query: '{ __typename }', variables: { filler: 'x'.repeat(2_000_000) } });
  for (const accept of ACCEPTS) {
    const headers = { accept, 'content-type': JSON_TYPE };
    const answer = await withstands(() => fetch(gateway.graphqlUrl, { method: 'POST', headers, body }));
    expect([accept, answer.status]).toEqual([accept, 413]);
    expect(await answer.json()).toMatchObject({ hint: 'Send at most 256 KiB.' });
  }
});
